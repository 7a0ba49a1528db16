// Package rtsp opens sessions with cameras by RTSP over TCP, and turns what
// they play into key units.
//
// It wraps gortsplib's client. Reads are batched by the connection (conn.go),
// so that a resident session wakes about once a second and not once a packet.
// Pictures that are no key units are counted and dropped by the look of their
// first bytes; only a key unit that is wanted is assembled (assembler.go).
// Everything that a camera sends is hostile: sizes are capped, text is quoted,
// and no camera leads the gateway to another address.
//
// Callbacks of the library run on its reading goroutine with its lock held:
// nothing here blocks or closes a session there.
package rtsp
