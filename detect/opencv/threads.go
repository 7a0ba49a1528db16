package opencv

/*
#cgo pkg-config: opencv4
#cgo CXXFLAGS: --std=c++11
#include "threads.h"
*/
import "C"

// oneThread keeps OpenCV from starting threads of its own: a worker has one
// core.
func oneThread() { C.patrol_one_thread() }
