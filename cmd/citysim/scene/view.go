package scene

import (
	"math"

	"videopatrol/inventory"
)

// Size of every picture in pixels, and its frames per second and per GOP.
const (
	Width     = 704
	Height    = 576
	FrameRate = 15
	GOPFrames = 30
)

// near is the distance in metres before the lens at which geometry is cut.
const near = 0.8

// point is a place on the picture, in pixels.
type point struct{ x, y float64 }

// vec is a place in the scene, in metres: x to the right, y up, z away.
type vec struct{ x, y, z float64 }

func (a vec) plus(b vec) vec              { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) minus(b vec) vec             { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) times(k float64) vec         { return vec{a.x * k, a.y * k, a.z * k} }
func (a vec) dot(b vec) float64           { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) toward(b vec, k float64) vec { return a.plus(b.minus(a).times(k)) }

func (a vec) cross(b vec) vec {
	return vec{a.y*b.z - a.z*b.y, a.z*b.x - a.x*b.z, a.x*b.y - a.y*b.x}
}

// view is a pinhole camera on a pole.
type view struct {
	at                 vec
	right, up, forward vec
	focal              float64 // pixels
	mirrored           bool    // left and right exchanged
	width, height      float64 // of the picture, in pixels
}

func newView(at vec, yaw, pitch, focal float64, mirrored bool) view {
	sy, cy := math.Sincos(yaw)
	sp, cp := math.Sincos(pitch)
	return view{
		at: at, focal: focal, mirrored: mirrored, width: Width, height: Height,
		right:   vec{cy, 0, -sy},
		forward: vec{sy * cp, -sp, cy * cp},
		up:      vec{sy * sp, cp, cy * sp},
	}
}

// sized is the same view on a picture of another size.
func (v view) sized(width, height int) view {
	v.focal *= float64(width) / v.width
	v.width, v.height = float64(width), float64(height)
	return v
}

// turned is the same view, turned by angles in radians.
func (v view) turned(yaw, pitch float64) view {
	if yaw == 0 && pitch == 0 {
		return v
	}
	was := math.Asin(-v.forward.y)
	at := math.Atan2(v.forward.x, v.forward.z)
	n := newView(v.at, at+yaw, was+pitch, v.focal, v.mirrored)
	n.width, n.height = v.width, v.height
	return n
}

// horizon is the picture row of the horizon.
func (v view) horizon() float64 {
	return v.height/2 - v.focal*math.Tan(math.Asin(-v.forward.y))
}

// depth is the distance of a place along the line of sight.
func (v view) depth(p vec) float64 { return p.minus(v.at).dot(v.forward) }

// project returns the outline of a polygon on the picture, cut at the near
// plane; fewer than three points mean that none of it is before the lens.
func (v view) project(poly ...vec) []point {
	out := make([]point, 0, len(poly)+2)
	for i, a := range poly {
		b := poly[(i+1)%len(poly)]
		da, db := v.depth(a), v.depth(b)
		if da >= near {
			out = append(out, v.pixel(a))
		}
		if (da >= near) != (db >= near) {
			out = append(out, v.pixel(a.toward(b, (near-da)/(db-da))))
		}
	}
	return out
}

// pixel returns where a place before the lens shows.
func (v view) pixel(p vec) point {
	d := p.minus(v.at)
	k := v.focal / d.dot(v.forward)
	x := d.dot(v.right) * k
	if v.mirrored {
		x = -x
	}
	return point{v.width/2 + x, v.height/2 - d.dot(v.up)*k}
}

// faces tells whether a face with its corners counter-clockwise, seen from
// outside, shows that outside to the lens.
func (v view) faces(a, b, c vec) bool {
	return b.minus(a).cross(c.minus(a)).dot(v.at.minus(a)) > 0
}

// zone returns a ground polygon as a zone on the picture, cut to its edges.
func (v view) zone(poly ...vec) inventory.Polygon {
	pts := v.project(poly...)
	for _, edge := range []func(point) float64{
		func(p point) float64 { return p.x },
		func(p point) float64 { return v.width - p.x },
		func(p point) float64 { return p.y },
		func(p point) float64 { return v.height - p.y },
	} {
		pts = cut(pts, edge)
	}
	zone := make(inventory.Polygon, 0, len(pts))
	for _, p := range pts {
		zone = append(zone, inventory.Point{X: thousandth(p.x / v.width), Y: thousandth(p.y / v.height)})
	}
	return zone
}

// cut keeps the part of a polygon where inside is not negative.
func cut(poly []point, inside func(point) float64) []point {
	var out []point
	for i, a := range poly {
		b := poly[(i+1)%len(poly)]
		da, db := inside(a), inside(b)
		if da >= 0 {
			out = append(out, a)
		}
		if (da >= 0) != (db >= 0) {
			k := da / (da - db)
			out = append(out, point{a.x + (b.x-a.x)*k, a.y + (b.y-a.y)*k})
		}
	}
	return out
}

func thousandth(x float64) float64 { return math.Round(x*1000) / 1000 }

// rulers returns how tall a person appears who stands at the near and at the
// far end of a polygon; none where it is no ground, or too flat on the picture
// to tell.
func (v view) rulers(poly ...vec) []inventory.Ruler {
	const tall, lens = 1.7, 2 // m
	nearest, farthest := poly[0], poly[0]
	for _, p := range poly {
		if p.y != 0 {
			return nil
		}
		if v.depth(p) < v.depth(nearest) {
			nearest = p
		}
		if v.depth(p) > v.depth(farthest) {
			farthest = p
		}
	}
	var out []inventory.Ruler
	for _, foot := range []vec{farthest, nearest} {
		if v.depth(foot) < lens {
			return nil
		}
		low, high := v.pixel(foot), v.pixel(foot.plus(vec{0, tall, 0}))
		out = append(out, inventory.Ruler{Y: min(max(low.y/v.height, 0), 1), Height: min((low.y-high.y)/v.height, 1)})
	}
	if (inventory.Zone{Perspective: out}).CheckPerspective() != nil {
		return nil
	}
	return out
}
