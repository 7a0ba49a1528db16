package play_test

import (
	"bytes"
	"slices"
	"testing"

	"videopatrol/cmd/citysim/play"
)

// stream returns an Annex B stream of n GOPs of pictures that only look like ones.
func stream(gops, pictures int) []byte {
	var b []byte
	add := func(head byte, body ...byte) { b = append(append(b, 0, 0, 0, 1, head), body...) }
	for range gops {
		add(0x67, 0x42, 0, 0x1e, 0xab)
		add(0x68, 0xce, 0x38)
		for i := range pictures {
			if i == 0 {
				add(0x65, 0x88, 0x84)
			} else {
				add(0x41, 0x9a, byte(i+1))
			}
		}
	}
	return b
}

func TestParseGOPs(t *testing.T) {
	gops, err := play.ParseGOPs(slices.Concat(stream(2, 30), stream(1, 12)))
	if err != nil || len(gops) != 2 {
		t.Fatalf("got %d GOPs, %v; want 2 whole ones", len(gops), err)
	}
	g := gops[1]
	if len(g.Units) != 30 || !bytes.Equal(g.SPS, []byte{0x67, 0x42, 0, 0x1e, 0xab}) || !bytes.Equal(g.Units[29], []byte{0x41, 0x9a, 30}) {
		t.Errorf("got %+v", g)
	}
}

func TestParseGOPsRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":                   nil,
		"no start code":             {1, 2, 3},
		"a picture first":           {0, 0, 1, 0x41, 9},
		"no parameter sets":         {0, 0, 1, 0x65, 9},
		"a short GOP in the middle": slices.Concat(stream(1, 20), stream(1, 30)),
		"a long GOP":                stream(1, 31),
		"less than one GOP":         stream(1, 29),
		"only start codes":          {0, 0, 1, 0, 0, 1, 0, 0, 1},
		"parameter sets too short":  {0, 0, 1, 0x67, 0, 0, 1, 0x68, 0, 0, 1, 0x65, 1},
	} {
		if gops, err := play.ParseGOPs(b); err == nil {
			t.Errorf("%s: got %d GOPs", name, len(gops))
		}
	}
}

func FuzzParseGOPs(f *testing.F) {
	f.Add(stream(2, 30))
	f.Add([]byte{0, 0, 1, 0x67, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		gops, err := play.ParseGOPs(b)
		for _, g := range gops {
			if err == nil && (len(g.Units) != 30 || g.Units[0][0]&0x1f != 5) {
				t.Errorf("a GOP of %d units", len(g.Units))
			}
		}
	})
}
