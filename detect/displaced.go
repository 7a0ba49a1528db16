package detect

import "slices"

// telling returns agrees among those edges alone that would show it if the
// camera had turned: the ones unlike what lies beside them, or the ones unlike
// what lies above and below them, whichever agree less. A horizon or a kerb looks
// the same wherever along it a camera looks. It is 1 when too few of either are
// to be seen, or a third of the picture is as it was: then something stands
// before the others.
func (r *retina) telling(v *View, l look) float64 {
	const (
		few    = 60
		inPart = 16
		asWas  = 0.9
	)
	share := 1.0
	for _, along := range [2]bool{true, false} {
		var parts [3]shift
		for i, o := range v.edges {
			x, y := int(l.edges[i].x), int(l.edges[i].y)
			if x*x+y*y < edgeFaint*edgeFaint || !v.sure(i) || r.blind[i] || r.repeats(v, i, along) {
				continue
			}
			p := &parts[i%r.ew*len(parts)/r.ew]
			p.edges++
			if like(x, y, int(o[0]), int(o[1])) {
				p.kept++
			}
		}
		all := parts[0].plus(parts[1]).plus(parts[2])
		stays := slices.ContainsFunc(parts[:], func(p shift) bool { return p.edges >= inPart && p.share() >= asWas })
		if all.edges >= few && !stays {
			share = min(share, all.share())
		}
	}
	return share
}

// repeats tells whether an edge is like at least half of those near it, along
// its row or else along its column.
func (r *retina) repeats(v *View, i int, along bool) bool {
	at, n, step := i%r.ew, r.ew, 1
	if !along {
		at, n, step = i/r.ew, r.eh, r.ew
	}
	seen, same := 0, 0
	for _, d := range [4]int{-4, -2, 2, 4} {
		if at+d < 0 || at+d >= n {
			continue
		}
		seen++
		o, near := v.edges[i], v.edges[i+d*step]
		if like(int(o[0]), int(o[1]), int(near[0]), int(near[1])) {
			same++
		}
	}
	return 2*same >= seen
}

// slips returns the share of the view's rows of edges that a look shows
// displaced sideways, in bands of two at least, while other rows are in place,
// and which rows they are: a bit each, the 65th again the first. When none are
// in place, the camera has moved. One row alone has so few edges that some
// displacement fits it by chance.
func (r *retina) slips(s *scratch, v *View, l look) (share float64, which uint64) {
	const (
		few    = 8   // edges of a row that tell, and lie all over it
		placed = 0.7 // of them where they were: the row is in place
		still  = 0.08
		found  = 0.6 // of two rows' elsewhere, and half as many again as where they were
		// A camera that turns about its axis displaces rows a little, too.
		nearest = 3
	)
	most := r.ew / 2
	s.shifts = sized(s.shifts, 2*(2*most+1))
	last, next := s.shifts[:2*most+1], s.shifts[2*most+1:]
	var rows, inPlace, slipped, alike int
	by := map[int]int{} // slipped rows by how far
	slip := func(ey, d int) {
		slipped++
		which |= 1 << (ey % 64)
		by[d]++
		alike = max(alike, by[d-1]+by[d]+by[d+1])
	}
	lastTells, lastSlipped := false, false
	for ey := range r.eh {
		here := r.shifted(v, l, ey, 0)
		if here.edges < few || 2*here.span < r.ew {
			lastTells, lastSlipped = false, false
			continue
		}
		rows++
		if here.share() >= placed {
			inPlace++
		}
		tells := here.share() < 0.5
		for d := -most; d <= most && tells; d++ {
			next[most+d] = r.shifted(v, l, ey, d)
		}
		best, there := 0, 0.0
		for d := -most; d <= most && tells && lastTells; d++ {
			a, b := last[most+d], next[most+d]
			if max(d, -d) < nearest || min(a.edges, b.edges) < few || 2*min(a.span, b.span) < r.ew {
				continue
			}
			if both := a.plus(b).share(); both > there {
				best, there = d, both
			}
		}
		both := there >= found && there > 1.5*last[most].plus(here).share()
		if both {
			slip(ey, best)
			if !lastSlipped {
				slip(ey-1, best)
			}
		}
		last, next, lastTells, lastSlipped = next, last, tells, both
	}
	// All displaced alike, but for a few by chance in place, are a camera that
	// has moved.
	if rows < few || float64(inPlace) < still*float64(rows) || 10*inPlace < 3*rows && 3*alike > 2*slipped {
		return 0, 0
	}
	return float64(slipped) / float64(rows), which
}

// shift is what the edges of one row say of one displacement: of so many, over
// so many cells, so many are to be seen there.
type shift struct{ edges, span, kept int }

func (a shift) plus(b shift) shift { return shift{edges: a.edges + b.edges, kept: a.kept + b.kept} }

func (a shift) share() float64 { return float64(a.kept) / float64(max(1, a.edges)) }

// shifted compares a view's row of edges with a look's, displaced by so many
// cells.
func (r *retina) shifted(v *View, l look, ey, by int) (out shift) {
	from := r.ew
	for ex := max(0, -by); ex < min(r.ew, r.ew-by); ex++ {
		i := ey*r.ew + ex
		if !v.sure(i) || r.blind[i] || r.blind[i+by] {
			continue
		}
		from = min(from, ex)
		out.span = ex - from
		out.edges++
		e, o := l.edges[i+by], v.edges[i]
		if like(int(e.x), int(e.y), int(o[0]), int(o[1])) {
			out.kept++
		}
	}
	return out
}
