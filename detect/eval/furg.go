package eval

import (
	"encoding/xml"
	"fmt"
	"io"
)

// Span is a part of a clip, in seconds.
type Span struct{ Begin, End float64 }

// frames is how the FURG fire data set stores the boxes of a clip: OpenCV's
// storage, one entry per picture, with "x y w h" in pixels per flame.
type frames struct {
	Rate float64 `xml:"frameRate"`
	All  []struct {
		Number int      `xml:"frameNumber"`
		Boxes  []string `xml:"annotations>_"`
	} `xml:"frames>_"`
}

// FlameSpans reads the boxes of one clip and returns when any is drawn. Parts
// with less than gap seconds between them are one. length is the clip's, in
// seconds: the file's own frame rate is rounded and is not used.
func FlameSpans(r io.Reader, length, gap float64) ([]Span, error) {
	var f frames
	if err := xml.NewDecoder(r).Decode(&f); err != nil {
		return nil, fmt.Errorf("boxes: %w", err)
	}
	if len(f.All) == 0 {
		return nil, fmt.Errorf("boxes: no <frames> in it: want OpenCV's storage of the FURG fire data set")
	}
	step := length / float64(f.All[len(f.All)-1].Number+1)
	var out []Span
	for _, picture := range f.All {
		if len(picture.Boxes) == 0 {
			continue
		}
		at := float64(picture.Number) * step
		if n := len(out) - 1; n >= 0 && at-out[n].End < gap {
			out[n].End = min(at+step, length)
			continue
		}
		out = append(out, Span{Begin: at, End: min(at+step, length)})
	}
	return out, nil
}
