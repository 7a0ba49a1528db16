package probe

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/still"
)

// stillFacts are what a first request, without a login, showed.
type stillFacts struct {
	status      int
	contentType string
	location    string
	// unchanged tells that the camera says when its picture did not change.
	unchanged bool
}

// still asks for a picture twice as the gateway does, the second time on the
// condition that it changed.
func (l *look) still(ctx context.Context) error {
	l.ask(ctx)
	f := &l.report.Login
	if len(f.Offered) > 0 && l.o.Login == (inventory.Login{}) {
		return streams.Errorf(streams.ReasonAuth, "the camera wants a login: give --user NAME and its password")
	}
	opener, err := still.New(still.Options{})
	if err != nil {
		return streams.Errorf(streams.ReasonConfig, "%w", err)
	}
	defer opener.Close()
	target := streams.Target{Camera: "probe", URL: l.o.URL, Login: l.o.Login, Link: l.o.Link, Visit: true}
	got, err := take(ctx, opener, target, takeWithin)
	if err != nil {
		f.Refused = len(f.Offered) > 0 && streams.ReasonOf(err) == streams.ReasonAuth
		return err
	}
	f.Accepted = len(f.Offered) > 0
	if t := got.unit.CameraTime; !t.IsZero() && l.report.Skew == nil {
		skew := t.Sub(got.unit.Received).Seconds()
		l.report.Skew = &skew
	}
	if _, err := opener.Open(ctx, target, streams.Receiver{Unit: func(streams.Unit) { l.stills.unchanged = false }, KeySeen: func(time.Time) { l.stills.unchanged = true }}); err != nil {
		l.err = err
	}
	return l.picture(ctx, got)
}

// ask sends one request without a login, and notes what the answer says.
func (l *look) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	line := &http.Transport{
		DialContext: (&net.Dialer{}).DialContext, TLSClientConfig: l.anyCertificate(), DisableCompression: true, DisableKeepAlives: true,
		MaxResponseHeaderBytes: maxMessage, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.u.String(), nil)
	if err != nil {
		return // the visit says why
	}
	req.Header.Set("User-Agent", "videopatrol")
	res, err := line.RoundTrip(req)
	if err != nil {
		l.err = err
		return
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxMessage)
	l.stills.status, l.stills.contentType, l.stills.location = res.StatusCode, clip(res.Header.Get("Content-Type")), clip(res.Header.Get("Location"))
	l.report.Server = clip(res.Header.Get("Server"))
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		skew := time.Until(at).Truncate(time.Second).Seconds() // the header has no fractions
		l.report.Skew = &skew
	}
	if res.StatusCode != http.StatusUnauthorized {
		return
	}
	for _, v := range res.Header.Values("Www-Authenticate") {
		if len(l.report.Login.Offered) < 8 {
			l.report.Login.Offered = append(l.report.Login.Offered, scheme(v))
		}
	}
	if len(l.report.Login.Offered) == 0 {
		l.report.Login.Offered = []string{"nothing"}
	}
}
