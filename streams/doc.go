// Package streams keeps each camera's patrol loop alive and hands on at most
// one fresh access unit per visit; it knows each camera's state.
//
// The Manager reconciles the inventory's wanted set with one loop per camera.
// Between visits a loop is a place in the schedule (schedule.go), which begins
// the visit whose deadline is nearest as soon as budgets, host and line allow.
// loop.run makes that one visit (visit.go) on a goroutine of its own, decides
// when the next one is, and goes back into the schedule. A visit stays with the
// camera (resident), or leaves with one key unit (visit, still); decide.go says
// which, and when a visit begins so that it does not wait long for its key unit.
// Every few seconds balance.go fits what the fleet wants into the budgets, by
// longer intervals of the lower tiers. stir.go hastens looks at scenes that stir.
// What a visit takes leaves as a Sample, still encoded, through a Sink.
// Protocols live in subfolders, rtsp and still, and Openers picks one by an
// address's scheme; probe looks closely at one camera; streamstest is the fake
// camera of the tests.
//
// Rules:
//   - A camera is visited by one loop at a time: a new loop waits for the old one.
//   - What cameras of one address share lives in a host: dial slots, bad
//     logins, the session limit, and whom to wake when the address answers.
//   - Decisions are pure functions in decide.go and budget.go.
//   - An early look moves no due one: the grid of due times is absolute.
//   - A session's callbacks copy, count and return; a session is closed by its
//     visit or its watch, never from a callback.
//
// The coverage ledger (attention.go, coverage.go) says of every camera-minute
// whether it was watched: whether every visit due in it gave a trusted sample.
// Else it is blind with the first reason, or excused by planned maintenance.
// A loop announces each look before it is due and tells of failures and
// verdicts; nobody asks a camera whether it is watched. Minutes are closed half
// a minute after their end, once, by the wall clock; those that no process
// lived through are blind as gateway_down. sqlstore keeps the hours.
// promise.go derives what a tier can be relied on for.
//
// Lock order: Manager.mu, then coverage.mu or schedule.mu; schedule.mu or
// visit.mu, then loop.mu, then host.mu. An attention's lock comes last. No lock
// is held while a sink, an opener or another loop is called, save that the watch
// holds visit.mu while it closes its session.
package streams
