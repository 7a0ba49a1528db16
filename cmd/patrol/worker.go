package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/detect/expr"
	"videopatrol/detect/model"
	"videopatrol/detect/onnx"
	"videopatrol/detect/opencv"
	"videopatrol/detect/worker"
)

// newWorker is the only command that runs C code, in a process of its own.
func newWorker() *cobra.Command {
	var file, library string
	cmd := &cobra.Command{
		Use: "worker", Short: "Decode and judge samples (internal: a child of the gateway)", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			decoders, err := codec.New(codec.Options{})
			if err != nil {
				return err
			}
			defer decoders.Close()
			imaging := opencv.New()
			o := worker.ServeOptions{Decoder: decoders}
			finder := func(detect.Config) detect.Finder { return nil }
			if file != "" {
				// The files are read here: Serve gives up the right to.
				queue, side, err := openModel(file, library)
				if err != nil {
					return err
				}
				ctx, cancel := context.WithCancel(cmd.Context())
				defer cancel()
				go func() { _ = queue.Run(ctx) }() // it returns nil alone
				o.Looks = queue.Counts
				finder = func(c detect.Config) detect.Finder {
					return model.Finder{Queue: queue, Side: side, Tier: c.Tier, Patience: time.Second}
				}
			}
			o.NewWatcher = func(c detect.Config) (worker.Watcher, error) {
				return detect.NewWatch(detect.WatchOptions{Config: c, Imaging: imaging, Compile: expr.Compile, Objects: finder(c)})
			}
			return worker.Serve(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&file, "model", "", "ONNX file that finds objects")
	cmd.Flags().StringVar(&library, "onnxruntime", "", "file of ONNX Runtime's library")
	return cmd
}

// modelShare is how much of a worker's time a model may take: the patrol goes
// on whatever happens in front of the cameras.
const modelShare = 0.5

// openModel returns the way to a model, and the side of its input in pixels.
func openModel(file, library string) (*model.Queue, int, error) {
	f, err := model.Load(file)
	if err != nil {
		return nil, 0, err
	}
	var backend model.Backend = opencv.DNN{}
	if path, err := onnx.Find(library); err == nil {
		if backend, err = onnx.Open(path); err != nil {
			return nil, 0, err
		}
	} else if library != "" {
		return nil, 0, err
	}
	d, err := model.Open(backend, f)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", file, err)
	}
	q, err := model.NewQueue(model.QueueOptions{Detector: d, Share: modelShare})
	return q, d.Side(), err
}
