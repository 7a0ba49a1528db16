//go:build cgo && !race

package realparts_test

const memory = 0 // the default
