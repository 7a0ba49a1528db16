// Package streamstest is the fake camera of the tests: a real RTSP server on
// a loopback port, whose faults are options.
package streamstest
