//go:build !race

package detect_test

const raced = false
