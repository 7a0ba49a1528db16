//go:build race

package alerts_test

// raced tells that the race detector watches, which costs tenfold.
const raced = true
