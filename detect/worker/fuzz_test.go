package worker_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/worker"
)

// honest is a result that uses every field.
func honest() detect.Result {
	now := time.Date(2026, 3, 1, 3, 0, 0, 123456789, time.UTC)
	return detect.Result{
		Camera: "a", Received: now, Still: picture,
		Scene:  detect.Scene{Fault: detect.SceneDark, Since: now, Luma: 1, Sharp: 2},
		Stages: map[string]float64{"decode": 0.001, "scene": 0.002},
		Findings: []detect.Finding{{
			Camera: "a", Zone: "z", Rule: detect.RuleRef{ID: "intrusion", Version: 1}, Kind: detect.KindIntrusion,
			Phase: detect.PhaseBegin, Began: now.Add(-time.Second), At: now, Score: 0.5, Picture: picture,
			Why: detect.Text{ZH: "有人", EN: "something moves"}, Boxes: []detect.Box{{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}},
		}},
	}
}

// message is an answer as the child writes it; the encoder takes the pictures
// out, so it gets its own result.
func message(change func(*detect.Result)) []byte {
	r := honest()
	if change != nil {
		change(&r)
	}
	return worker.ResultMessage(r, []byte("checkpoint"))
}

func TestAnswerRoundTrip(t *testing.T) {
	got, checkpoint, err := worker.DecodeAnswer(message(nil))
	want := honest()
	if err != nil || !reflect.DeepEqual(*got, want) || string(checkpoint) != "checkpoint" {
		t.Errorf("got %+v %q %v\nwant %+v", got, checkpoint, err, want)
	}
}

func TestRequestRoundTrip(t *testing.T) {
	s := sample("a", "x")
	s.Unit.NALUs = [][]byte{{1, 2}, nil, {3}}
	want := detect.Config{Camera: "a", Interval: time.Second, TimeZone: "Asia/Shanghai"}
	camera, u, c, checkpoint, err := worker.DecodeRequest(worker.RequestMessage(s, &want, []byte("memory")))
	if err != nil || camera != "a" || !reflect.DeepEqual(u, s.Unit) || !reflect.DeepEqual(*c, want) || string(checkpoint) != "memory" {
		t.Errorf("got %q %+v %+v %q %v", camera, u, c, checkpoint, err)
	}
}

// Everything that a child could say to mislead is refused.
func TestAnswerIsChecked(t *testing.T) {
	f := func(change func(*detect.Finding)) func(*detect.Result) {
		return func(r *detect.Result) { change(&r.Findings[0]) }
	}
	for name, change := range map[string]func(*detect.Result){
		"too many findings":    func(r *detect.Result) { r.Findings = make([]detect.Finding, 33) },
		"still is no JPEG":     func(r *detect.Result) { r.Still = []byte("<script>") },
		"still too large":      func(r *detect.Result) { r.Still = append([]byte{0xff, 0xd8, 0xff}, make([]byte, 2<<20)...) },
		"unknown fault":        func(r *detect.Result) { r.Scene.Fault = "tired" },
		"unknown stage":        func(r *detect.Result) { r.Stages = map[string]float64{"evil": 1} },
		"negative stage":       func(r *detect.Result) { r.Stages = map[string]float64{"scene": -1} },
		"other camera":         f(func(f *detect.Finding) { f.Camera = "b" }),
		"zone":                 f(func(f *detect.Finding) { f.Zone = "../z" }),
		"rule":                 f(func(f *detect.Finding) { f.Rule.ID = strings.Repeat("r", 65) }),
		"kind":                 f(func(f *detect.Finding) { f.Kind = "face" }),
		"phase":                f(func(f *detect.Finding) { f.Phase = "maybe" }),
		"no begin":             f(func(f *detect.Finding) { f.Began = time.Time{} }),
		"begins later":         f(func(f *detect.Finding) { f.Began = f.At.Add(1) }),
		"from the future":      f(func(f *detect.Finding) { f.At = f.At.Add(time.Hour) }),
		"begin without proof":  f(func(f *detect.Finding) { f.Picture = nil }),
		"picture is no JPEG":   f(func(f *detect.Finding) { f.Picture = []byte("GIF89a") }),
		"score":                f(func(f *detect.Finding) { f.Score = 1.5 }),
		"box outside":          f(func(f *detect.Finding) { f.Boxes[0].X = -1 }),
		"too many boxes":       f(func(f *detect.Finding) { f.Boxes = make([]detect.Box, 65) }),
		"box beyond all sizes": f(func(f *detect.Finding) { f.Boxes[0].W = math.MaxFloat64 }),
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := worker.DecodeAnswer(message(change)); !errors.Is(err, worker.ErrGarbled) {
				t.Errorf("error %v, want ErrGarbled", err)
			}
		})
	}
	got, _, err := worker.DecodeAnswer(message(f(func(f *detect.Finding) { f.Why.ZH = strings.Repeat("热", 1000) })))
	if err != nil || len(got.Findings[0].Why.ZH) > 510 {
		t.Errorf("a long text: %d bytes, %v", len(got.Findings[0].Why.ZH), err)
	}
}

// raw is a message with any header and body.
func raw(header string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(header)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(append(b, header...), body...)
}

// Whatever a child writes, the parent neither panics nor lets anything through
// that checkFinding forbids.
func FuzzAnswer(f *testing.F) {
	f.Add(message(nil))
	f.Add(worker.HelloMessage(1))
	for _, header := range []string{
		`{"result":{"camera":"a"},"sizes":{"still":-1}}`, `{"sizes":{"checkpoint":9999999999}}`,
		`{"result":{"findings":[{}]},"sizes":{"pictures":[-5]}}`, `{"result":null}`, `[]`, ``,
		`{"sizes":{"still":4}}`, `{"result":{},"sizes":{"pictures":[1,2,3]}}`,
	} {
		f.Add(raw(header, picture))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, checkpoint, err := worker.DecodeAnswer(b)
		if err != nil || r == nil {
			return
		}
		if len(checkpoint) > 128<<10 || len(r.Undecodable) > 510 || len(r.Findings) > 32 {
			t.Errorf("beyond the bounds: %+v", r)
		}
		for _, p := range append([][]byte{r.Still}, pictures(r)...) {
			if len(p) > 0 && !bytes.HasPrefix(p, []byte{0xff, 0xd8, 0xff}) {
				t.Errorf("no JPEG: %q", p)
			}
		}
		for _, f := range r.Findings {
			if f.Camera != r.Camera || f.Began.After(f.At) || f.At.After(r.Received) || !(f.Score < 1.1) {
				t.Errorf("finding %+v", f)
			}
		}
	})
}

func pictures(r *detect.Result) (all [][]byte) {
	for _, f := range r.Findings {
		all = append(all, f.Picture)
	}
	return all
}

// A request that the child takes is the same once it is written again.
func FuzzRequest(f *testing.F) {
	f.Add(worker.RequestMessage(sample("a", "x"), &detect.Config{Camera: "a"}, []byte("memory")))
	f.Add(raw(`{"op":"see","sizes":{"nalus":[-1,2]}}`, []byte("xy")))
	f.Fuzz(func(t *testing.T, b []byte) {
		camera, u, c, checkpoint, err := worker.DecodeRequest(b)
		if err != nil || c != nil {
			return
		}
		s := sample(camera, "")
		s.Unit = u
		camera2, u2, _, checkpoint2, err := worker.DecodeRequest(worker.RequestMessage(s, nil, checkpoint))
		if err != nil || camera2 != camera || !bytes.Equal(checkpoint, checkpoint2) || u2.Size() != u.Size() {
			t.Errorf("%v: %+v became %+v", err, u, u2)
		}
	})
}

func FuzzMemory(f *testing.F) {
	f.Add([]byte(`{"camera":"a","at":"2026-03-01T03:00:00Z","crc":0}` + "\n"))
	f.Add([]byte("{}\nx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, blob, err := worker.ParseMemory(b); err == nil && len(blob) > 128<<10 {
			t.Errorf("%d bytes", len(blob))
		}
	})
}

// The quarantine keeps the newest samples within its bounds, and touches no
// file that is not its own.
func TestPrune(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 8, 3, 0, 0, 0, time.UTC)
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("20260301T025959.000-0001.h264") // a week and a second old
	write("20260301T025959.000-0001.json")
	write("zz-not-ours.txt")
	for i := range 70 {
		stem := fmt.Sprintf("20260307T03%02d00.000-%04d", i%60, i)
		if i >= 60 {
			stem = fmt.Sprintf("20260307T04%02d00.000-%04d", i%60, i)
		}
		write(stem + ".h264")
		write(stem + ".json")
	}
	if err := worker.Prune(dir, now); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(entries); got != 64*2+1 {
		t.Errorf("%d files are left", got)
	}
	if first := entries[0].Name(); !strings.HasPrefix(first, "20260307T030600") {
		t.Errorf("the oldest file left is %s", first)
	}
	if last := entries[len(entries)-1].Name(); last != "zz-not-ours.txt" {
		t.Errorf("a file that is not ours is gone; the last one is %s", last)
	}
}
