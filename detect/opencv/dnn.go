package opencv

/*
#include <stdlib.h>
#include "dnn.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"videopatrol/detect/model"
)

// DNN computes networks by OpenCV, which is always there. It catches what
// OpenCV throws, which gocv does not; what OpenCV does wrong without throwing
// still ends the process, so an unknown model is proved in a child first.
type DNN struct{}

var _ model.Backend = DNN{}

// Name returns opencv.
func (DNN) Name() string { return "opencv" }

// Open makes a network of a model file.
func (DNN) Open(f model.File) (model.Session, error) {
	if _, err := f.CheckGraph(); err != nil {
		return nil, err
	}
	threads.Do(oneThread)
	in := f.Manifest.Input
	onnx := unsafe.Slice((*C.char)(unsafe.Pointer(unsafe.SliceData(f.ONNX))), len(f.ONNX))
	var failed *C.char
	n := C.patrol_net_open(&onnx[0], C.size_t(len(f.ONNX)), C.int(in.Width), C.int(in.Height), &failed)
	if n == nil {
		return nil, thrown(failed)
	}
	return &net{c: n, input: unsafe.Slice((*float32)(C.patrol_net_input(n)), 3*in.Width*in.Height)}, nil
}

type net struct {
	c     *C.patrol_net
	input []float32
	out   []model.Tensor
}

func (n *net) Input() []float32 { return n.input }

func (n *net) Run() ([]model.Tensor, error) {
	if n.c == nil {
		return nil, errors.New("the network is closed")
	}
	var failed *C.char
	count := C.patrol_net_run(n.c, &failed)
	if count < 0 {
		return nil, thrown(failed)
	}
	n.out = n.out[:0]
	for i := range int(count) {
		var data *C.float
		var name *C.char
		var shape [8]C.int
		dims := int(C.patrol_net_output(n.c, C.int(i), &data, &name, &shape[0]))
		if dims < 0 {
			return nil, fmt.Errorf("output %d is no array of 32-bit floats", i)
		}
		t := model.Tensor{Name: C.GoString(name), Shape: make([]int, dims)}
		size := 1
		for d := range dims {
			t.Shape[d] = int(shape[d])
			size *= t.Shape[d]
		}
		t.Data = unsafe.Slice((*float32)(data), size)
		n.out = append(n.out, t)
	}
	return n.out, nil
}

func (n *net) Close() error {
	C.patrol_net_close(n.c)
	n.c, n.input, n.out = nil, nil, nil
	return nil
}

// thrown is what OpenCV threw, as one line.
func thrown(text *C.char) error {
	defer C.free(unsafe.Pointer(text))
	return fmt.Errorf("OpenCV: %s", strings.Join(strings.Fields(C.GoString(text)), " "))
}
