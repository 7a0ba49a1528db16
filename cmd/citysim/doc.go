// Command citysim is a simulated city of RTSP cameras with scripted scenes and
// faults: the proving ground of the gateway that anyone can rerun.
package main
