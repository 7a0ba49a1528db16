// Package streamstest is the fake camera of the tests: a real RTSP server on
// a loopback port, whose faults are options. A correct library cannot speak
// wrongly: for the faults of the catalogue there is the folder hostile, whose
// camera is written by hand.
package streamstest
