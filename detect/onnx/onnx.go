package onnx

import (
	"errors"
	"fmt"
	"runtime"

	ort "github.com/yalue/onnxruntime_go"

	"videopatrol/detect/model"
)

// Runtime is the loaded library. There is at most one in a process.
type Runtime struct{}

var _ model.Backend = (*Runtime)(nil)

// Open loads the library from a file, as Find returns it.
func Open(path string) (*Runtime, error) {
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(); err != nil {
		return nil, fmt.Errorf("ONNX Runtime %s cannot be used (it must be 1.20 or newer): %w", path, err)
	}
	return &Runtime{}, nil
}

// Close unloads the library, after every session was closed.
func (r *Runtime) Close() error { return ort.DestroyEnvironment() }

// Name returns onnxruntime.
func (r *Runtime) Name() string { return "onnxruntime" }

// Open makes a session of a model file.
func (r *Runtime) Open(f model.File) (model.Session, error) {
	g, err := f.CheckGraph()
	if err != nil {
		return nil, err
	}
	s := &session{outputs: make([]ort.Value, len(g.Outputs)), tensors: make([]model.Tensor, len(g.Outputs))}
	in := f.Manifest.Input
	s.data = make([]float32, 3*in.Width*in.Height)
	s.pin(s.data)
	if s.input, err = ort.NewTensor(ort.NewShape(1, 3, int64(in.Height), int64(in.Width)), s.data); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	o, err := options()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	defer func() { _ = o.Destroy() }()
	names := make([]string, len(g.Outputs))
	for i, v := range g.Outputs {
		names[i] = v.Name
	}
	if s.run, err = ort.NewDynamicAdvancedSessionWithONNXData(f.ONNX, []string{g.Inputs[0].Name}, names, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// options keep a session on its caller's thread.
func options() (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(1), o.SetInterOpNumThreads(1), o.SetExecutionMode(ort.ExecutionModeSequential),
		// Inputs of one size make one plan of all buffers, so the arena is as
		// large after the first picture as ever after.
		o.SetCpuMemArena(true), o.SetMemPattern(true),
	)
	if err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

// session is one network. The library keeps pointers to its buffers.
type session struct {
	run     *ort.DynamicAdvancedSession
	data    []float32
	input   *ort.Tensor[float32]
	outputs []ort.Value
	tensors []model.Tensor
	pinned  runtime.Pinner
}

func (s *session) pin(data []float32) { s.pinned.Pin(&data[0]) }

func (s *session) Input() []float32 { return s.data }

// Run computes. The first run finds out the shapes of the outputs, and makes
// the buffers that all later ones use.
func (s *session) Run() ([]model.Tensor, error) {
	if s.run == nil {
		return nil, errors.New("the session is closed")
	}
	first := s.tensors[0].Data == nil
	if err := s.run.Run([]ort.Value{s.input}, s.outputs); err != nil {
		return nil, fmt.Errorf("ONNX Runtime: %w", err)
	}
	if !first {
		return s.tensors, nil
	}
	for i, v := range s.outputs {
		t, ok := v.(*ort.Tensor[float32])
		if !ok || len(t.GetData()) == 0 {
			return nil, fmt.Errorf("output %d is no array of 32-bit floats", i)
		}
		s.pin(t.GetData())
		s.tensors[i].Data = t.GetData()
		for _, d := range t.GetShape() {
			s.tensors[i].Shape = append(s.tensors[i].Shape, int(d))
		}
	}
	return s.tensors, nil
}

func (s *session) Close() error {
	var errs []error
	if s.run != nil {
		errs = append(errs, s.run.Destroy())
	}
	if s.input != nil {
		errs = append(errs, s.input.Destroy())
	}
	for _, v := range s.outputs {
		if v != nil {
			errs = append(errs, v.Destroy())
		}
	}
	s.pinned.Unpin()
	s.run, s.input, s.outputs = nil, nil, nil
	return errors.Join(errs...)
}
