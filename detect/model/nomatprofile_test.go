//go:build cgo && !matprofile

package model_test

func matCount() int { return 0 }
