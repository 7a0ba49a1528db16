// Package streams keeps each camera's patrol loop alive and hands on at most
// one fresh access unit per visit; it knows each camera's state.
//
// The Manager reconciles the inventory's wanted set with one loop per camera.
// A loop is patrol(ctx), which decides when to try again, around visit(ctx)
// error, which runs one session. What it takes leaves as a Sample, still
// encoded, through a Sink. Protocols live in subfolders, rtsp and still, and
// Openers picks one by an address's scheme; streamstest is the fake camera of
// the tests.
//
// Rules:
//   - A camera is visited by one loop at a time: a new loop waits for the old one.
//   - What cameras of one address share lives in a host: dial slots, bad
//     logins, the session limit, and whom to wake when the address answers.
//   - Decisions are pure functions in decide.go.
//   - A session's callbacks copy, count and return; a session is closed by its
//     visit or its watch, never from a callback.
//
// Lock order: Manager.mu, then visit.mu, then loop.mu, then host.mu. No lock is
// held while a sink, an opener or another loop is called, save that the watch
// holds visit.mu while it closes its session.
package streams
