//go:build race

package proof_test

// The race detector reserves more than a worker may have.
const memory = -1
