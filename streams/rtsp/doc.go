// Package rtsp opens sessions with cameras by RTSP, over TCP, UDP or TLS, and
// turns what they play into key units.
//
// It wraps gortsplib's client, which does the handshake, keepalives and the
// farewell. Between the library and the camera lie the connection (conn.go) and
// the dialogue (dialogue.go), which logs in and mends what careless cameras say.
// TLS (tls.go) lies below both: the library never sees a credential, nor a
// certificate. Nor does it see the video over TCP: the connection walks the
// interleaved frames of each read itself (frames.go), hands the video's packets
// to the assembler where they lie, and passes on messages. Over UDP the packets
// come by the library's callbacks to the same assembler.
//
// A resident session has no timer and no wake-up of its own for reading. A few
// goroutines, the wheels (turns.go), go round all sessions and read each one
// as often as its bitrate asks for, at the latest when the latency budget is
// over. The kernel wakes a session's own reader only for a burst or a hang-up.
// A visit is read as its bytes come.
//
// Pictures that are no key units are told of by size and quantisation, where
// somebody listens, and dropped by the look of their first bytes; only a key
// unit that is wanted is assembled (assembler.go, mjpeg.go). In a stream that marks
// none, pictures that are all intra serve (recovery.go). Everything that a camera
// sends is hostile: sizes are capped, text is quoted, and no camera leads the
// gateway to another address.
//
// Lock order: a connection's lock, then a wheel's; and a connection's before
// every lock that a receiver's methods take. These run on a wheel or on the
// library's reading goroutine, one at a time for each session: nothing in them
// blocks or closes a session. Once Close has returned, none runs any more.
package rtsp
