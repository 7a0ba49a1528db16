package worker_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/streams"
)

// Explain says in pictures what it is about; its words may make no sense.
func (w *watcher) Explain(p detect.Picture, received time.Time) (detect.Explanation, error) {
	word, _, _ := strings.Cut(string(p.Y.Pix), " ")
	e := detect.Explanation{
		Camera: w.config.Camera, Received: received, Picture: append([]byte{0xff, 0xd8, 0xff}, word...),
		Rules: []detect.RuleExplanation{{Zone: "z", Rule: detect.RuleIntrusion, Kind: detect.KindIntrusion, State: detect.RuleClear}},
	}
	switch word {
	case "fatal":
		os.Exit(3)
	case "blurred":
		return e, errors.New("nothing to be seen")
	case "nojpeg":
		e.Picture = []byte("<script>")
	case "nostate":
		e.Rules[0].State = "hungry"
	case "stranger":
		e.Camera = "another"
	}
	return e, nil
}

func TestExplain(t *testing.T) {
	r := newStillRig(t)
	if _, err := r.Explain(t.Context(), "nobody"); !errors.Is(err, worker.ErrNoPicture) {
		t.Errorf("of no camera: %v", err)
	}
	r.want("a", "b", "k", "j")
	if _, err := r.Explain(t.Context(), "a"); !errors.Is(err, worker.ErrNoPicture) {
		t.Errorf("before the first sample: %v", err)
	}
	got := r.trusted("a", "first")
	e, err := r.Explain(t.Context(), "a")
	if err != nil || e.Camera != "a" || !e.Received.Equal(got.Received) || string(e.Picture) != "\xff\xd8\xfffirst" || len(e.Rules) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	r.trusted("k", "blurred")
	if e, err := r.Explain(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "nothing to be seen") {
		t.Errorf("%+v, %v", e, err)
	}
	for camera, word := range map[string]string{"a": "fatal", "b": "nojpeg", "k": "nostate", "j": "stranger"} {
		r.trusted(camera, word)
		if e, err := r.Explain(t.Context(), camera); err == nil {
			t.Errorf("%s: %+v", word, e)
		}
		if v := await(t, r.verdicts); v.Camera != camera || v.Reason != streams.ReasonQuarantined {
			t.Errorf("%s: verdict %+v", word, v)
		}
	}
	if n := r.metric("patrol_worker_restarts_total", "garbled"); n != 3 {
		t.Errorf("%v workers ended for what made no sense, want 3", n)
	}
}
