// Package proof tries a model in a process of its own, since a library that
// computes networks may end the process over one that it does not like, and
// an unknown file may want more than to be computed.
//
// Run is the parent; Serve is the child, which is confined like a worker
// before the library sees the model.
package proof
