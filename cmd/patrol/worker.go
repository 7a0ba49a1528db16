package main

import (
	"github.com/spf13/cobra"

	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/detect/expr"
	"videopatrol/detect/opencv"
	"videopatrol/detect/worker"
)

// newWorker is the only command that runs C code, in a process of its own.
func newWorker() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Short: "Decode and judge samples (internal: a child of the gateway)", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			decoders, err := codec.New(codec.Options{})
			if err != nil {
				return err
			}
			defer decoders.Close()
			imaging := opencv.New()
			return worker.Serve(cmd.Context(), worker.ServeOptions{
				Decoder: decoders,
				NewWatcher: func(c detect.Config) (worker.Watcher, error) {
					return detect.NewWatch(detect.WatchOptions{Config: c, Imaging: imaging, Compile: expr.Compile})
				},
			})
		},
	}
}
