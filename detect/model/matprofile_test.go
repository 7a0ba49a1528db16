//go:build cgo && matprofile

package model_test

import "gocv.io/x/gocv"

func matCount() int { return gocv.MatProfile.Count() }
