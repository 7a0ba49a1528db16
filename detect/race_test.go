//go:build race

package detect_test

// raced: the race detector is on. It makes pixels ten times as slow, and what
// is measured over whole clips holds no race.
const raced = true
