package streams

import "time"

// shedSlack is what a sample may take beyond its interval and the wait for a
// key unit before it counts as shed.
const shedSlack = 10 * time.Second

// Shed tells since when key units of the camera have arrived and none was
// analysed in time, although it is online: the gateway had no time for them.
func (s Status) Shed(now time.Time) (since time.Time, shed bool) {
	late := 2*s.Interval + s.GOP + shedSlack
	if s.State != StateOnline || s.LastSample.IsZero() || now.Sub(s.LastSample) <= late || !s.LastKey.After(s.LastSample) {
		return time.Time{}, false
	}
	return s.LastSample, true
}
