// Package streams keeps each camera's patrol loop alive and hands on at most
// one fresh access unit per visit; it knows each camera's state.
//
// The Manager reconciles the inventory's wanted set with one loop per camera.
// A loop is patrol(ctx), which decides when to try again, around visit(ctx)
// error, which runs one session. What it takes leaves as a Sample, still
// encoded, through a Sink. Protocols live in subfolders: rtsp; streamstest is
// the fake camera of the tests.
package streams
