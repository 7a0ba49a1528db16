// Package synth is a synthetic camera: pictures drawn in memory, encoded as
// real H.264 without any library, and served by a real RTSP server.
//
// The gateway's canary looks at one of these, so that the whole road from the
// socket to the desk is walked every few minutes; tests use it as a camera
// whose every pixel is known.
package synth
