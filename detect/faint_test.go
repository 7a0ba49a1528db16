//go:build cgo

package detect_test

import (
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// farArea is the closed area where people are small.
func farArea() inventory.Zone {
	z := closedArea
	z.Perspective = []inventory.Ruler{{Y: 0.35, Height: 0.07}, {Y: 1, Height: 0.09}}
	return z
}

// darken takes some luma off a part of a picture.
func darken(p detect.Picture, x0, y0, x1, y1 float64, by byte) {
	for y := int(y0 * float64(p.Y.Height)); y < int(y1*float64(p.Y.Height)); y++ {
		for x := int(x0 * float64(p.Y.Width)); x < int(x1*float64(p.Y.Width)); x++ {
			p.Y.Pix[y*p.Y.Stride+x] -= by
		}
	}
}

// TestFaintFarAway: somebody far away in a jacket of hardly another grey than
// the ground is found where a perspective says how tall he is. Light that
// changes as little is not him, nor is rain.
func TestFaintFarAway(t *testing.T) {
	far := farArea()
	for _, c := range []struct {
		name string
		zone inventory.Zone
		draw func(p detect.Picture, look int)
		want string
	}{
		{"he", far, func(p detect.Picture, look int) {
			x := 0.6 + 0.05*float64(look)
			darken(p, x, 0.6, x+0.03, 0.675, 12)
		}, "yard/begin "},
		{"he without a perspective", closedArea, func(p detect.Picture, look int) {
			x := 0.6 + 0.05*float64(look)
			darken(p, x, 0.6, x+0.03, 0.675, 12)
		}, ""},
		{"a cloud", far, func(p detect.Picture, look int) {
			darken(p, 0.55+0.05*float64(look), 0.4, 0.8, 0.9, 12)
		}, ""},
		{"rain", far, func(p detect.Picture, look int) {
			for i := range 200 {
				x, y := float64((i*37+look*53)%173)/180, float64((i*71+look*29)%179)/200
				darken(p, x, y, x+1.0/352, y+0.06, 60)
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPatrol(t, 5*time.Second, c.zone)
			p.show(time.Minute)
			for look := range 4 {
				pic := p.s.shoot()
				c.draw(pic, look)
				p.see(pic)
			}
			p.want(c.want)
		})
	}
}

// TestFaintBag: a small bag of hardly another grey than the ground is found where
// a perspective says how small it may be, and is not missed once it is taken away.
// A patch of shade as dark, with nothing in it, is none.
func TestFaintBag(t *testing.T) {
	hall := inventory.Zone{
		ID: "hall", Kind: inventory.ZoneUnattended, Area: rect(0.2, 0.4, 0.95, 1), Dwell: time.Minute,
		Perspective: []inventory.Ruler{{Y: 0.4, Height: 0.1}, {Y: 1, Height: 0.12}},
	}
	flat := hall
	flat.Perspective = nil
	bag := func(p detect.Picture) { darken(p, 0.6, 0.66, 0.63, 0.7, 24) }
	for _, c := range []struct {
		name string
		zone inventory.Zone
		draw func(p detect.Picture)
		want string
	}{
		{"a bag", hall, bag, "hall/begin hall/end "},
		{"a bag without a perspective", flat, bag, ""},
		{"shade", hall, func(p detect.Picture) { darken(p, 0.5, 0.5, 0.75, 0.8, 18) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPatrol(t, 5*time.Second, c.zone)
			p.show(6 * time.Minute)
			for range 30 {
				pic := p.s.shoot()
				c.draw(pic)
				p.see(pic)
			}
			p.show(time.Minute)
			p.want(c.want)
		})
	}
}
