//go:build cgo && race

package realparts_test

// The race detector needs terabytes of address space.
const memory = -1
