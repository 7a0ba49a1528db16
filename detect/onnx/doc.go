// Package onnx computes networks by ONNX Runtime, several times faster than
// OpenCV does.
//
// Its shared library is no part of the gateway: it is looked for when the
// gateway starts (see Find), and where there is none OpenCV computes. Every
// session runs on its caller's thread alone.
//
// A worker has no files once it is confined, so the library is loaded before:
// by Open, which can be called once in a process. Sessions are made and run
// within the system call filter too.
package onnx
