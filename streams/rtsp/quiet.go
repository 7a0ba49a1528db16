package rtsp

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/bluenviron/gortsplib/v4"
)

// quiet lengthens two periods of the library that it keeps to itself. It looks
// every second whether frames still come, which costs a timer and a change of
// goroutine per session and half as much as reading does, and every five
// seconds whether there is a receiver report to send, which over TCP there
// never is. A version that has no such fields is left as it is.
func quiet(c *gortsplib.Client) {
	v := reflect.ValueOf(c).Elem()
	for name, d := range map[string]time.Duration{"checkTimeoutPeriod": answerWithin / 2, "receiverReportPeriod": time.Hour} {
		if f := v.FieldByName(name); f.IsValid() && f.Type() == reflect.TypeFor[time.Duration]() {
			*(*time.Duration)(unsafe.Pointer(f.UnsafeAddr())) = d
		}
	}
}
