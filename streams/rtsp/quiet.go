package rtsp

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/bluenviron/gortsplib/v4"
)

// quiet lengthens two periods of the library that it keeps to itself, before
// the client starts, and returns how many it found. Each second it looks
// whether frames still come, which costs a timer and a change of goroutine per
// session: a third of what the reading costs. Every five seconds it looks
// whether a receiver report is to be sent, which over TCP there never is. A
// version of the library without these fields is left as it is.
func quiet(c *gortsplib.Client) int {
	return set(c, "checkTimeoutPeriod", answerWithin) + set(c, "receiverReportPeriod", time.Hour)
}

// brief leaves out the library's first question, before the client starts, and
// returns how many fields it found. The answer to OPTIONS only says how a
// session is to be kept alive, and a visit ends before that; so it is one of
// its seven round trips. Nothing is asked that RFC 2326 requires first.
func brief(c *gortsplib.Client) int { return set(c, "optionsSent", true) }

// set sets a field of the library's client, and returns how many there are of
// that name and type.
func set[T any](c *gortsplib.Client, name string, value T) int {
	f := reflect.ValueOf(c).Elem().FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[T]() {
		return 0
	}
	*(*T)(unsafe.Pointer(f.UnsafeAddr())) = value //nolint:gosec // a field of ours alone until Start2
	return 1
}
