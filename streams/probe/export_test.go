package probe

import "time"

// Packet is an RTP packet and when it came.
type Packet struct {
	At   time.Duration
	Data []byte
}

// Judge is what is made of a description and packets, without a camera.
func Judge(description string, packets []Packet, took time.Duration) (Stream, []Fault) {
	l := &look{talk: newTalk(), sdp: parseSDP(description)}
	began := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	m, ok := l.video()
	if !ok {
		return Stream{}, faultsOf(l)
	}
	l.track = newTrack(m, began)
	for _, p := range packets {
		l.track.raw(p.Data, began.Add(p.At))
	}
	l.report.Stream = l.track.stream(began.Add(took))
	return *l.report.Stream, faultsOf(l)
}

// Overhear judges a conversation by its bytes alone.
func Overhear(said, heard, reports []byte) (Report, []Fault) {
	l := &look{talk: newTalk()}
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	l.talk.say(said, now)
	for ; len(heard) > 0; heard = heard[min(len(heard), 1000):] {
		l.talk.hear(heard[:min(len(heard), 1000)], now)
	}
	l.describe()
	m, _ := l.video()
	l.track = newTrack(m, now)
	l.track.report(reports, now)
	l.sum()
	return l.report, faultsOf(l)
}
