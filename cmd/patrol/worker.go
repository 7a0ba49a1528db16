package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	var m models
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
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			// The files are read here: Serve gives up the right to.
			finder, witness, err := m.open(ctx, &o, forObjects, forWitness)
			if err != nil {
				return err
			}
			o.NewWatcher = func(c detect.Config) (worker.Watcher, error) {
				return detect.NewWatch(detect.WatchOptions{
					Config: c, Imaging: imaging, Compile: expr.Compile, Objects: finder(c), Witness: witness(c),
				})
			}
			return worker.Serve(cmd.Context(), o)
		},
	}
	m.flags(cmd.Flags())
	return cmd
}

// models are the files that a worker may ask; none are required.
type models struct{ objects, fire, library string }

func (m *models) flags(p *pflag.FlagSet) {
	p.StringVar(&m.objects, "model", "", "ONNX file that finds objects")
	p.StringVar(&m.fire, "fire-model", "", "ONNX file that says whether a picture shows fire")
	p.StringVar(&m.library, "onnxruntime", "", "file of ONNX Runtime's library")
}

// open returns each camera's way to the models, which are counted in o.
func (m *models) open(ctx context.Context, o *worker.ServeOptions, objects, fire asking) (finder, witness finderOf, err error) {
	finder, witness = noFinder, noFinder
	if m.objects == "" && m.fire == "" {
		return finder, witness, nil
	}
	backend, err := openBackend(m.library)
	if err != nil {
		return nil, nil, err
	}
	if finder, err = openFinder(ctx, o, backend, m.objects, objects); err != nil {
		return nil, nil, err
	}
	witness, err = openFinder(ctx, o, backend, m.fire, fire)
	return finder, witness, err
}

// asking is how a model is asked.
type asking struct {
	// share is how much of a worker's time it may take, 0 for all: the patrol
	// goes on whatever happens in front of the cameras.
	share float64
	// score is from where on what it sees counts; 0 means its manifest's.
	score float64
	// patience is how long a look may wait to begin. Both together leave a
	// sample time within detect.timeout.
	patience time.Duration
}

var (
	forObjects = asking{share: 0.5, patience: time.Second}
	// A witness is asked how sure it is, however little.
	forWitness = asking{share: 0.1, score: math.SmallestNonzeroFloat32, patience: 200 * time.Millisecond}
)

// finderOf returns a camera's way to a model, nil where there is none.
type finderOf func(detect.Config) detect.Finder

func noFinder(detect.Config) detect.Finder { return nil }

// openBackend returns ONNX Runtime where it is found, else OpenCV. A library
// that was named must be there.
func openBackend(library string) (model.Backend, error) {
	switch path, err := onnx.Find(library); {
	case err == nil:
		return onnx.Open(path)
	case library != "":
		return nil, err
	}
	return opencv.DNN{}, nil
}

// openFinder returns each camera's way to a model, which counts what it is
// asked in o. No file finds nothing.
func openFinder(ctx context.Context, o *worker.ServeOptions, backend model.Backend, file string, how asking) (finderOf, error) {
	if file == "" {
		return noFinder, nil
	}
	f, err := model.Load(file)
	if err != nil {
		return nil, err
	}
	session, err := backend.Open(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d, err := model.New(model.Options{Manifest: f.Manifest, Session: session, Score: how.score})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	queue, err := model.NewQueue(model.QueueOptions{Detector: d, Share: how.share})
	if err != nil {
		return nil, err
	}
	go func() { _ = queue.Run(ctx) }() // it returns nil alone
	others := o.Looks
	o.Looks = func() model.Counts {
		c := queue.Counts()
		if others != nil {
			c.Add(others())
		}
		return c
	}
	return func(c detect.Config) detect.Finder {
		return model.Finder{Queue: queue, Side: d.Side(), Tier: c.Tier, Patience: how.patience}
	}, nil
}
