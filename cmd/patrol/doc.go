// Command patrol is the video patrol gateway: it pulls camera streams, judges
// sampled pictures, folds what happens into leads and brings them to people.
//
// serve wires the rooms and runs them; the other commands read or change a
// running gateway through its API, never beside it. worker is internal: one
// decoding child, the only process that runs C code.
package main
