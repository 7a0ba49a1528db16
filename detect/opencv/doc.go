// Package opencv is detect's work on pixels by OpenCV (gocv).
//
// OpenCV aborts the process on a C++ exception, so every size is checked
// before a call, and it runs on the caller's thread alone. An Imaging keeps
// its matrices between calls; Close frees them.
package opencv
