// Package hostile is a small RTSP camera, written by hand, that can speak
// wrongly: a correct library cannot. Without a fault it is a correct camera
// over TCP and UDP.
//
// Faults lists what can be wrong with it, by the number of the catalogue of
// camera faults, each with the Reason that the gateway should name. Tests and
// the simulator play the same list.
//
// Lock order: Server.mu, then conversation.mu; none is held during a blocking
// call, save conversation.mu while bytes are written.
package hostile
