package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// timerSlack is how much later than asked for the kernel may wake a thread of
// the gateway, in nanoseconds. Nothing here is due to the millisecond, but the
// Go runtime's watch over its threads sleeps for 20 µs at a time while
// anything runs: with Linux's own slack of 50 µs that watch is a seventh of
// what a patrol costs.
const timerSlack = 2e6

// heapGrowth is by how many hundredths the heap may grow before the collector
// runs. A resident camera holds 10 kB more than by Go's own 100, and the
// collector, a tenth of what its packets cost, takes a third less.
const heapGrowth = 150

// collectLess lets the heap of a long-running command grow, unless somebody
// chose how much (GOGC).
func collectLess(args []string) {
	if longRunning(args) && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}

// longRunning tells whether a command patrols until it is stopped.
func longRunning(args []string) bool {
	return len(args) > 1 && args[1] == "serve" || len(args) > 2 && slices.Equal(args[1:3], []string{"bench", "session"})
}

// coalesceTimers starts a long-running command again with that slack, for the
// runtime's threads inherit it only from before the program starts; so do
// workers. A slack that somebody chose, such as systemd's TimerSlackNSec=, stays,
// and where anything fails the command goes on as it is.
func coalesceTimers(args []string) {
	const kernels = 50_000
	program, err := os.Executable()
	if !longRunning(args) || err != nil {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if have, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || have != kernels {
		return
	}
	if unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlack, 0, 0, 0) == nil {
		_ = syscall.Exec(program, args, os.Environ()) //nolint:gosec // this very program
	}
}
