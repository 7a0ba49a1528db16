package play_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"videopatrol/cmd/citysim/play"
	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
)

// TestFaultsOfTheCatalogue: one camera refuses sessions for a while, another
// at the same address sends garbage between its frames and is lived with, and
// a third hears of nothing.
func TestFaultsOfTheCatalogue(t *testing.T) {
	full, dirty := play.Kind("fault:19-453"), play.Kind("fault:4-garbage")
	o := options(row(0, full, 0, 3*time.Second, 0), row(1, dirty, 0, time.Minute, 0))
	o.Cameras = 3
	listen := serve(t, o)
	opener, err := rtsp.New(rtsp.Options{Latency: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	visit := func(index int) error {
		units := make(chan streams.Unit, 100)
		s, err := opener.Open(t.Context(), streams.Target{
			URL: "rtsp://" + listen + "/cam/" + cameraID(t, index) + "/sub", Login: inventory.Login{Username: "u", Password: "p"},
		}, streams.Receiver{Unit: func(u streams.Unit) { units <- u }})
		if err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Wait() }()
		defer func() {
			s.Close()
			<-ended //nolint:errcheck // it was asked to end
		}()
		select {
		case u := <-units:
			if len(u.Params) != 2 || u.Size() < 1000 {
				t.Errorf("camera %d sent a key unit of %d bytes with %d parameter sets", index, u.Size(), len(u.Params))
			}
		case err := <-ended: // a fault that begins cuts sessions
			ended <- err
			return err
		}
		return nil
	}
	until := func(index int, want streams.Reason) {
		for r := streams.Reason("?"); r != want; { // the test's own time limit bounds it
			if r = streams.ReasonOf(visit(index)); r != want {
				time.Sleep(50 * time.Millisecond)
			}
		}
	}
	until(0, streams.ReasonSessionLimit)
	until(1, streams.ReasonNone)
	until(2, streams.ReasonNone)
	until(0, streams.ReasonNone)
	ended := slices.ContainsFunc(o.Ledger.Entries(), func(e play.Entry) bool { return e.Kind == full && !e.End.IsZero() })
	if !ended {
		t.Errorf("the ledger says %+v", o.Ledger.Entries())
	}
}

func TestFaultRows(t *testing.T) {
	for script, want := range map[string]string{
		"- {camera: 0, kind: fault:99-nothing, for: 1s}":       "citysim faults lists them",
		"- {camera: 0, kind: fault:2-syn-black-hole, for: 1s}": "befalls an address",
	} {
		if _, err := play.ParseScript(strings.NewReader(script)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want it to say %q", script, err, want)
		}
	}
	if n := len(play.Faults()); n < 100 {
		t.Errorf("only %d faults of the catalogue", n)
	}
	rows, err := play.ParseScript(strings.NewReader("- {camera: all, kind: fault:51-gone, for: 1m}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := play.New(options(rows...)); err != nil {
		t.Error(err)
	}
}
