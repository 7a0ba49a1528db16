package scene_test

import (
	"bytes"
	"testing"

	"videopatrol/cmd/citysim/scene"
	"videopatrol/inventory"
)

func kinds() []scene.Kind { return []scene.Kind{scene.Street, scene.Gate} }

func draw(p *scene.Painter, t scene.Take, frame int) *scene.Frame {
	f := scene.NewFrame()
	p.Draw(f, t, frame/scene.GOPFrames, frame%scene.GOPFrames)
	return f
}

func meanLuma(f *scene.Frame) float64 {
	sum := 0
	for _, y := range f.Pix[:scene.Width*scene.Height] {
		sum += int(y)
	}
	return float64(sum) / (scene.Width * scene.Height)
}

func TestZoneIsAUsablePolygon(t *testing.T) {
	for _, kind := range kinds() {
		for seed := range uint64(300) {
			zone := scene.New(kind, seed).Zone()
			if len(zone) < 3 {
				t.Fatalf("%s %d: zone %v has fewer than 3 points", kind, seed, zone)
			}
			area := 0.0
			for i, p := range zone {
				q := zone[(i+1)%len(zone)]
				area += p.X*q.Y - q.X*p.Y
				if p.X < 0 || p.X > 1 || p.Y < 0 || p.Y > 1 {
					t.Fatalf("%s %d: %v lies outside the picture", kind, seed, p)
				}
			}
			if area = max(area, -area) / 2; area < 0.02 || area > 0.6 {
				t.Fatalf("%s %d: the zone covers %.3f of the picture", kind, seed, area)
			}
		}
	}
}

func TestSeedsLookDifferentAndTheSame(t *testing.T) {
	for _, kind := range kinds() {
		a, b := scene.New(kind, 1), scene.New(kind, 2)
		one, again, other := draw(a.NewPainter(), scene.Quiet, 0), draw(a.NewPainter(), scene.Quiet, 0), draw(b.NewPainter(), scene.Quiet, 0)
		if !bytes.Equal(one.Pix, again.Pix) {
			t.Errorf("%s: one seed drew two pictures", kind)
		}
		if d := changed(one, other, inventory.Polygon{{}, {X: 1}, {X: 1, Y: 1}, {Y: 1}}); d < 0.1 {
			t.Errorf("%s: two seeds differ in only %.2f of the picture", kind, d)
		}
	}
}

// changed is the share of a polygon that differs strongly between two pictures.
func changed(a, b *scene.Frame, zone inventory.Polygon) float64 {
	strong, n := 0, 0
	for y := 0; y < scene.Height; y += 2 {
		for x := 0; x < scene.Width; x += 2 {
			if zone.Contains(inventory.Point{X: float64(x) / scene.Width, Y: float64(y) / scene.Height}) {
				d := int(a.Pix[y*scene.Width+x]) - int(b.Pix[y*scene.Width+x])
				n++
				if d > 28 || d < -28 {
					strong++
				}
			}
		}
	}
	return float64(strong) / float64(max(n, 1))
}

func TestHappeningShowsInTheZoneAndPassersDoNot(t *testing.T) {
	for _, kind := range kinds() {
		for seed := range uint64(4) {
			s := scene.New(kind, seed)
			p := s.NewPainter()
			before := draw(p, scene.Quiet, 0)
			quiet, busy := 0.0, 1.0
			for frame := 0; frame < s.GOPs(scene.Quiet)*scene.GOPFrames; frame += 11 {
				quiet = max(quiet, changed(before, draw(p, scene.Quiet, frame), s.Zone()))
			}
			for frame := 0; frame < s.GOPs(scene.Stay)*scene.GOPFrames; frame += 11 {
				busy = min(busy, changed(before, draw(p, scene.Stay, frame), s.Zone()))
			}
			// A person is small in a large yard; a car fills much of a lane.
			want := 0.001
			if kind == scene.Street {
				want = 0.08
			}
			t.Logf("%s %d: quiet %.4f busy %.4f", kind, seed, quiet, busy)
			if quiet > want/4 || busy < want {
				t.Errorf("%s %d: %.4f of the zone changes when quiet, %.4f when not; want %.4f", kind, seed, quiet, busy, want)
			}
		}
	}
}

func TestBeginAndEndLieWithinTheirTakes(t *testing.T) {
	for _, kind := range kinds() {
		for seed := range uint64(300) {
			s := scene.New(kind, seed)
			if b := s.Begin(); b <= 0 || b >= s.GOPs(scene.Arrive)*scene.GOPFrames {
				t.Fatalf("%s %d: begins at frame %d of %d GOPs", kind, seed, b, s.GOPs(scene.Arrive))
			}
			if e := s.End(); e <= 0 || e >= s.GOPs(scene.Leave)*scene.GOPFrames {
				t.Fatalf("%s %d: ends at frame %d of %d GOPs", kind, seed, e, s.GOPs(scene.Leave))
			}
		}
	}
}

func TestFaultsOfThePicture(t *testing.T) {
	for _, kind := range kinds() {
		s := scene.New(kind, 5)
		p := s.NewPainter()
		if luma := meanLuma(draw(p, scene.Dark, 3)); luma > 12 {
			t.Errorf("%s: a dark picture has a mean luma of %.1f", kind, luma)
		}
		covered := draw(p, scene.Covered, 3)
		if luma := meanLuma(covered); luma < 40 || luma > 180 {
			t.Errorf("%s: a covered picture has a mean luma of %.1f", kind, luma)
		}
		if bytes.Equal(covered.Pix, draw(p, scene.Covered, 3).Pix) {
			t.Errorf("%s: a covered picture has no noise", kind)
		}
	}
}

func TestNoiseNeverWraps(t *testing.T) {
	// A value that wraps around shows as a jump from black to white between
	// two frames of an unmoving place.
	for _, kind := range kinds() {
		s := scene.New(kind, 9)
		p := s.NewPainter()
		a, b := draw(p, scene.Covered, 0), draw(p, scene.Covered, 1)
		for i := range scene.Width * scene.Height {
			if d := int(a.Pix[i]) - int(b.Pix[i]); d > 60 || d < -60 {
				t.Fatalf("%s: pixel %d went from %d to %d", kind, i, a.Pix[i], b.Pix[i])
			}
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, kind := range kinds() {
		b.Run(string(kind), func(b *testing.B) {
			p, f := scene.New(kind, 3).NewPainter(), scene.NewFrame()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p.Draw(f, scene.Stay, i/scene.GOPFrames%4, i%scene.GOPFrames)
			}
		})
	}
}

func BenchmarkNewPainter(b *testing.B) {
	s := scene.New(scene.Street, 3)
	for b.Loop() {
		s.NewPainter()
	}
}

// The other kinds are stages: what happens there shows in the zone while it
// stays, and before it began nothing did.
func TestStagedScenesPlay(t *testing.T) {
	for _, kind := range scene.Kinds()[2:] {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := scene.New(kind, 6)
			for _, take := range scene.Takes() {
				if n := s.GOPs(take); n < 1 || n > 40 {
					t.Fatalf("%s has %d GOPs", take, n)
				}
			}
			if b, e := s.Begin(), s.End(); b <= 0 || b >= s.GOPs(scene.Arrive)*scene.GOPFrames || e < 0 || e >= s.GOPs(scene.Leave)*scene.GOPFrames {
				t.Fatalf("begins at frame %d of %d GOPs, ends at %d of %d", b, s.GOPs(scene.Arrive), e, s.GOPs(scene.Leave))
			}
			p := s.NewPainter()
			before := draw(p, scene.Quiet, 0)
			quiet, busy := changed(before, draw(p, scene.Quiet, 40), s.Zone()), changed(before, draw(p, scene.Stay, 20), s.Zone())
			t.Logf("quiet %.4f busy %.4f", quiet, busy)
			if busy < 0.0012 || quiet > busy/3 {
				t.Errorf("%.4f of the zone changes when quiet, %.4f when not", quiet, busy)
			}
			if luma := meanLuma(draw(p, scene.Dark, 3)); luma > 12 {
				t.Errorf("a dark picture has a mean luma of %.1f", luma)
			}
			if luma := meanLuma(draw(p, scene.Covered, 3)); luma < 40 || luma > 180 {
				t.Errorf("a covered picture has a mean luma of %.1f", luma)
			}
		})
	}
}
