// Package probe looks at one camera as an engineer in the street needs it: can
// it be reached, how does it want to be asked, what does it play, what would
// the gateway do with it, and which known fault does it show.
//
// It holds two conversations, one after the other. The first is its own, with
// a tap below the RTSP library: it plays for a while and only notes what goes
// by (talk.go, track.go, sdp.go). The second is the gateway's own opener, which
// takes one key unit as a visit does, so that a failure has the reason that the
// gateway would name. What was noted is judged by pure functions (faults.go).
//
// A probe never guesses a login, follows no redirect, and gives no login to a
// host whose certificate it cannot trust. What a camera says is shown quoted
// and cut short.
package probe
