package detect

import (
	"fmt"
	"time"

	"videopatrol/streams"
)

// Plane is one plane of 8-bit samples, row by row; row y begins at y×Stride.
type Plane struct {
	Pix                   []byte
	Width, Height, Stride int
}

// Row returns row y.
func (p Plane) Row(y int) []byte { return p.Pix[y*p.Stride : y*p.Stride+p.Width] }

// check tells whether the plane holds what it says.
func (p Plane) check(width, height int) error {
	switch {
	case p.Width != width || p.Height != height:
		return fmt.Errorf("a plane of %d × %d pixels, want %d × %d", p.Width, p.Height, width, height)
	case p.Stride < p.Width || len(p.Pix) < (p.Height-1)*p.Stride+p.Width:
		return fmt.Errorf("a plane of %d × %d pixels with stride %d in %d bytes", p.Width, p.Height, p.Stride, len(p.Pix))
	}
	return nil
}

// Picture is a decoded picture, YCbCr 4:2:0, limited or full range as the
// camera sent it. Its planes belong to the decoder and are overwritten by its
// next picture.
type Picture struct {
	Y, Cb, Cr Plane
	FullRange bool
	// Unwatched: nobody looks at the camera, so that its picture is made only
	// as evidence.
	Unwatched bool
	// Clear returns the same picture as an eye should see it, in planes that
	// live as long as these; nil where this one is clear.
	Clear func() (Picture, error)
}

// black is the luma of black.
func (p Picture) black() int {
	if p.FullRange {
		return 0
	}
	return 16
}

// Limits of a picture's width and height, in pixels.
const (
	MinSide = 32
	MaxSide = 4096
)

// Check tells whether the picture can be looked at: its sides lie within
// MinSide..MaxSide, its planes fit together and hold what they say.
func (p Picture) Check() error {
	w, h := p.Y.Width, p.Y.Height
	if w < MinSide || h < MinSide || w > MaxSide || h > MaxSide {
		return fmt.Errorf("a picture of %d × %d pixels: each side must be %d to %d", w, h, MinSide, MaxSide)
	}
	if err := p.Y.check(w, h); err != nil {
		return fmt.Errorf("luma: %w", err)
	}
	for _, c := range []Plane{p.Cb, p.Cr} {
		if err := c.check((w+1)/2, (h+1)/2); err != nil {
			return fmt.Errorf("chroma: %w", err)
		}
	}
	return nil
}

// Decoder decodes key units. It is not safe for concurrent use.
type Decoder interface {
	// Decode returns the picture of a key unit. Any sign of damage rejects
	// the picture with an error: half a picture is not evidence. No pixel of
	// an earlier picture ever shows.
	Decode(u streams.Unit) (Picture, error)
	// Glance is Decode for less, of a picture that is good enough to be judged;
	// it comes with Clear.
	Glance(u streams.Unit) (Picture, error)
	Close()
}

// Imaging works on pixels.
type Imaging interface {
	// Shrink returns the plane reduced to width × height by area averaging
	// and lightly smoothed against sensor noise. Its rows lie without gaps;
	// it is overwritten by the next call.
	Shrink(p Plane, width, height int) (Plane, error)
	// Blobs returns the 8-connected components of the non-zero pixels of a
	// mask without gaps between rows, after closing small gaps in it, largest
	// first, of at least minArea pixels; and the number of its component for
	// each pixel, which the next call overwrites.
	Blobs(mask Plane, minArea int) (blobs []Blob, labels []int32, err error)
	// JPEG encodes a picture, at most maxWidth wide.
	JPEG(p Picture, maxWidth int) ([]byte, error)
	// Peaks writes the greatest step between two pixels of each of the (Width-1)/8
	// × (Height-1)/8 blocks of 8 × 8 pixels of a plane without gaps: between
	// neighbours in a row in the even rows of a block, in a column in the odd ones.
	Peaks(peaks []byte, p Plane)
	// Differ writes into Expect what Mean looks like under a light, and into
	// Fore 255 for every pixel where X differs from that by more than
	// light.Least, else 0.
	Differ(l Layers, light Lighting)
	// Follow lets the ground follow the picture as Fore tells. Where that is 0,
	// Mean goes to X by rate/256 of the way, and Dev one up where X is farther
	// than Dev/12 from Expect, else one down. Where it is not, Mean goes to
	// Expect, and where it is 1, Dev goes up by 4, but not above 40: where cars
	// pass all the time, a car must still show. Dev stays within 1..100.
	Follow(l Layers, rate int)
}

// Layers are a picture and what it is compared with, as many pixels of each: X
// is the picture, Mean (1/256 steps of 0..255) and Dev are the ground, Expect is
// how that looks in the picture's light, Fore what is foreground.
type Layers struct {
	X, Dev, Expect, Fore []byte
	Mean                 []uint16
}

// Lighting is how a picture's light shows a ground: in steps it looks like
// (mean×Scale + Offset) / 2¹⁸, rounded down, within 0..255. Least is by how many
// steps a pixel may differ from that.
type Lighting struct{ Scale, Offset, Least int }

// Blob is a connected group of pixels of a mask.
type Blob struct {
	// X, Y, W, H bound it, in pixels of the mask.
	X, Y, W, H int
	// Area is its number of pixels.
	Area int
	// Label is its number in Labels.
	Label int32
}

// Result is what a watch made of one sample.
type Result struct {
	Camera string `json:"camera"`
	// Received is the receive time of the sample.
	Received time.Time `json:"received"`
	Scene    Scene     `json:"scene"`
	Findings []Finding `json:"findings,omitempty"`
	// Still is the masked picture as JPEG, the newest look at the camera. It is
	// always there with a finding's picture, and never without one when the
	// picture was Unwatched.
	Still []byte `json:"still,omitempty"`
	// Undecodable says in words why the sample gave no picture; then Scene
	// says nothing.
	Undecodable string `json:"undecodable,omitempty"`
	// Stages are the seconds spent: decode, scene, motion, objects, rules, encode.
	Stages map[string]float64 `json:"stages,omitempty"`
}
