package eval_test

import (
	"math"
	"strings"
	"testing"

	"videopatrol/detect/eval"
)

func near(a, b float64) bool { return math.Abs(a-b) < 0.0005 }

// The intervals are those of Newcombe 1998, table I, method 3.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		hits, n          int
		value, low, high float64
	}{
		{81, 263, 0.3080, 0.2553, 0.3662},
		{15, 148, 0.1014, 0.0624, 0.1605},
		{0, 20, 0, 0, 0.1611},
		{1, 29, 0.0345, 0.0061, 0.1718},
		{20, 20, 1, 0.8389, 1},
	} {
		if r := eval.Wilson(c.hits, c.n); !near(r.Value, c.value) || !near(r.Low, c.low) || !near(r.High, c.high) {
			t.Errorf("%d of %d: got %+v, want %+v", c.hits, c.n, r, c)
		}
	}
}

func TestF1(t *testing.T) {
	// Precision 0.9, recall 0.75.
	r := eval.F1(90, 30, 10)
	if want := 2 * 0.9 * 0.75 / (0.9 + 0.75); !near(r.Value, want) {
		t.Errorf("got %+v, want %g", r, want)
	}
	if !(r.Low < r.Value && r.Value < r.High && r.Low > 0.7 && r.High < 0.9) {
		t.Errorf("interval %+v", r)
	}
	if r := eval.F1(0, 10, 10); r.Value != 0 || r.Low != 0 || r.High <= 0 {
		t.Errorf("nothing found: %+v", r)
	}
}

func TestFlameSpans(t *testing.T) {
	const head = `<?xml version="1.0"?><opencv_storage><frameRate>29</frameRate><frames>`
	frame := func(n string, boxes string) string {
		return "<_><frameNumber>" + n + "</frameNumber><annotations>" + boxes + "</annotations></_>"
	}
	box := "<_>\n 176 84 24 33</_>"
	text := head + frame("0", "") + frame("1", box) + frame("2", box+box) + frame("3", "") + frame("4", box) +
		frame("5", "") + frame("6", "") + frame("7", "") + frame("8", box) + frame("9", "") + "</frames></opencv_storage>"
	got, err := eval.FlameSpans(strings.NewReader(text), 10, 2)
	if err != nil || len(got) != 2 || got[0] != (eval.Span{Begin: 1, End: 5}) || got[1] != (eval.Span{Begin: 8, End: 9}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "<opencv_storage></opencv_storage>", "no XML"} {
		if _, err := eval.FlameSpans(strings.NewReader(bad), 10, 2); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}
