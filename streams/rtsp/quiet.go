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
	n, v := 0, reflect.ValueOf(c).Elem()
	for name, d := range map[string]time.Duration{"checkTimeoutPeriod": answerWithin, "receiverReportPeriod": time.Hour} {
		if f := v.FieldByName(name); f.IsValid() && f.Type() == reflect.TypeFor[time.Duration]() {
			*(*time.Duration)(unsafe.Pointer(f.UnsafeAddr())) = d //nolint:gosec // a field of ours alone until Start2
			n++
		}
	}
	return n
}
