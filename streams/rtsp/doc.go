// Package rtsp opens sessions with cameras by RTSP, over TCP, UDP or TLS, and
// turns what they play into key units.
//
// It wraps gortsplib's client. Between the library and the camera lie the
// connection (conn.go), which batches reads, so that a resident session wakes
// about once a second and not once a packet, and the dialogue (dialogue.go),
// which logs in and mends what careless cameras say. TLS (tls.go) lies below
// both: the library never sees a credential, nor a certificate.
//
// Pictures that are no key units are counted and dropped by the look of their
// first bytes; only a key unit that is wanted is assembled (assembler.go,
// mjpeg.go). In a stream that marks none, pictures that are all intra serve
// (recovery.go). Everything that a camera sends is hostile: sizes are capped,
// text is quoted, and no camera leads the gateway to another address.
//
// Callbacks of the library run on its reading goroutine with its lock held:
// nothing here blocks or closes a session there.
package rtsp
