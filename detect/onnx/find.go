package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// LibraryEnv is the environment variable that may name the library's file.
const LibraryEnv = "PATROL_ONNXRUNTIME"

// ErrAbsent is a machine without ONNX Runtime.
var ErrAbsent = errors.New("ONNX Runtime is not installed: name the file of its shared library, 1.20 or newer, by " + LibraryEnv)

// usual are the places where packages and people put the library.
var usual = []string{
	"/opt/onnxruntime/lib/libonnxruntime.so*",
	"/usr/local/lib/libonnxruntime.so*",
	"/usr/lib/*-linux-gnu/libonnxruntime.so*",
	"/usr/lib64/libonnxruntime.so*",
	"/usr/lib/libonnxruntime.so*",
}

// Find returns the absolute path of the library's file: the one that is named,
// or by the environment, or else one beside the program or in the usual
// places. Its error is ErrAbsent when there is none, and another one when the
// named file is not there.
func Find(named string) (string, error) {
	if named == "" {
		named = os.Getenv(LibraryEnv)
	}
	if named != "" {
		path, err := filepath.Abs(named)
		if err != nil {
			return "", err
		}
		if i, err := os.Stat(path); err != nil || !i.Mode().IsRegular() {
			return "", fmt.Errorf("ONNX Runtime: there is no file %s", path)
		}
		return path, nil
	}
	places := usual
	if self, err := os.Executable(); err == nil {
		places = append([]string{filepath.Join(filepath.Dir(self), "libonnxruntime.so*")}, places...)
	}
	for _, pattern := range places {
		found, err := filepath.Glob(pattern)
		if err == nil && len(found) > 0 {
			return slices.Max(found), nil // the newest version
		}
	}
	return "", ErrAbsent
}
