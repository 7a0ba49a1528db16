package play

import (
	"context"
	"time"

	"videopatrol/cmd/citysim/scene"
)

// KeyUnit is what a camera shows for two seconds.
type KeyUnit struct {
	// At is when it goes out.
	At  time.Time
	GOP *GOP
	// PPS is the picture parameter set that goes with its key unit; see GOP.Vary.
	PPS []byte
}

// Projector plays one camera on made-up time, without connections: as fast as
// the caller takes its key units. It is not safe for concurrent use.
type Projector struct {
	camera  *camera
	scratch []byte
	start   time.Time
	frame   int64
}

// Project renders all that the server's rows need of a camera, and returns
// what plays it from start on. The server must not run.
func (s *Server) Project(ctx context.Context, index int, start time.Time) (*Projector, error) {
	c := s.cameras[index]
	var kinds []Kind
	for _, row := range s.o.Rows {
		if named, err := s.find(row.Camera); err == nil && named == c {
			kinds = append(kinds, row.Kind)
			c.enqueue(s.happening(row, start))
		}
	}
	if err := c.prepare(ctx, s.o.Library, kinds...); err != nil {
		return nil, err
	}
	return &Projector{camera: c, start: start}, nil
}

// Next returns the next key unit.
func (p *Projector) Next() KeyUnit {
	for {
		n := p.frame
		p.frame++
		now := p.start.Add(time.Duration(n) * frameTime)
		p.camera.tick(n, now, &p.scratch)
		if (n+p.camera.offset)%scene.GOPFrames == 0 {
			return KeyUnit{At: now, GOP: p.camera.gop, PPS: p.camera.gop.pps(p.camera.variant())}
		}
	}
}
