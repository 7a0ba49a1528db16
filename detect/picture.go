package detect

import (
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// Plane is one plane of 8-bit samples, row by row; row y begins at y×Stride.
type Plane struct {
	Pix                   []byte
	Width, Height, Stride int
}

// Row returns row y.
func (p Plane) Row(y int) []byte { return p.Pix[y*p.Stride : y*p.Stride+p.Width] }

// Picture is a decoded picture, YCbCr 4:2:0, limited or full range as the
// camera sent it. Its planes belong to the decoder and are overwritten by its
// next picture.
type Picture struct {
	Y, Cb, Cr Plane
	FullRange bool
}

// Decoder decodes key units. It is not safe for concurrent use.
type Decoder interface {
	// Decode returns the picture of a key unit. Any sign of damage rejects
	// the picture with an error: half a picture is not evidence. No pixel of
	// an earlier picture ever shows.
	Decode(u streams.Unit) (Picture, error)
	Close()
}

// Imaging works on pixels.
type Imaging interface {
	// Mask blackens what lies inside the polygons, on all planes in place.
	Mask(p Picture, masks []inventory.Polygon)
	// Shrink returns the plane reduced to width × height by area averaging
	// and lightly smoothed against sensor noise.
	Shrink(p Plane, width, height int) Plane
	// Blobs returns the 8-connected components of the non-zero pixels of a
	// mask after closing small gaps, largest first, of at least minArea pixels.
	Blobs(mask Plane, minArea int) []Blob
	// JPEG encodes a picture, at most maxWidth wide, with boxes drawn on it.
	JPEG(p Picture, maxWidth int, boxes []Box) ([]byte, error)
}

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
	// Still is the masked picture as JPEG, the newest look at the camera.
	Still []byte `json:"still,omitempty"`
	// Undecodable says in words why the sample gave no picture; then Scene
	// says nothing.
	Undecodable string `json:"undecodable,omitempty"`
	// Stages are the seconds spent: decode, scene, motion, rules, encode.
	Stages map[string]float64 `json:"stages,omitempty"`
}
