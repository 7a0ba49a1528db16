//go:build race

package rtsp_test

// slow is by how much more time the fault table takes under the race detector.
const slow = 3
