//go:build !race

package proof_test

const memory = 2 << 30
