package model

import (
	"context"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// Finder is a camera's way to a queue.
type Finder struct {
	Queue *Queue
	// Side is that of the model's input in pixels; see Detector.Side.
	Side int
	Tier inventory.Tier
	// Patience is how long a look may wait to begin.
	Patience time.Duration
}

var _ detect.Finder = Finder{}

// Find implements detect.Finder: it looks at crops of what is near, or at the
// whole picture where crops gain nothing or would be too many.
func (f Finder) Find(p detect.Picture, near []detect.Box) (found []detect.Detection, looked bool) {
	look := detect.Look{Picture: p}
	for _, b := range near {
		x, y := b.X+b.W, b.Y+b.H
		area := inventory.Polygon{{X: b.X, Y: b.Y}, {X: x, Y: b.Y}, {X: x, Y: y}, {X: b.X, Y: y}}
		crops := detect.Crops(area, p.Y.Width, p.Y.Height, f.Side)
		if len(crops) == 0 || len(look.Crops)+len(crops) > detect.MaxCrops {
			look.Crops = nil
			break
		}
		look.Crops = append(look.Crops, crops...)
	}
	r := Request{Look: look, Tier: f.Tier, Deadline: f.Queue.o.Now().Add(f.Patience)}
	found, err := f.Queue.Ask(context.Background(), r)
	return found, err == nil // the queue counts what it drops
}
