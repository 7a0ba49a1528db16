package still

import (
	"bytes"
	"errors"
	"fmt"
)

const (
	// maxSide is the largest width and height that is let in, in pixels.
	maxSide = 8192
	// maxScans bounds the scans of one picture: each costs a decoder a walk
	// over the whole of it. A common progressive file has ten.
	maxScans = 32
)

// errNoJPEG is what begins like no JPEG, errCut one whose end is missing; any
// other error of inspect is a JPEG that the gateway does not take.
var (
	errNoJPEG = errors.New("it is no JPEG")
	errCut    = errors.New("the JPEG ends before its end marker")
)

// picture is what a JPEG says of itself.
type picture struct {
	size          int // bytes, up to its end marker
	width, height int
}

// looksJPEG tells whether b, which may be too short to tell, can begin a JPEG.
func looksJPEG(b []byte) bool {
	start := []byte{0xff, 0xd8, 0xff}
	return bytes.HasPrefix(b, start[:min(len(b), len(start))])
}

// inspect walks the markers of a JPEG (ITU-T T.81 annex B) from its start to
// its end, and decodes nothing. What follows the end marker is not looked at.
func inspect(b []byte) (picture, error) {
	var p picture
	if len(b) < 3 || !looksJPEG(b) {
		return p, errNoJPEG
	}
	scans := 0
	for at := 2; ; {
		if at >= len(b) {
			return p, errCut
		}
		if b[at] != 0xff {
			return p, fmt.Errorf("byte %d of the JPEG is no marker", at)
		}
		for at < len(b) && b[at] == 0xff { // any number of fill bytes
			at++
		}
		if at >= len(b) {
			return p, errCut
		}
		marker := b[at]
		at++
		switch {
		case marker == 0xd9: // EOI
			if scans == 0 {
				return p, errors.New("the JPEG has no picture in it")
			}
			p.size = at
			return p, nil
		case marker == 0x01, marker >= 0xd0 && marker <= 0xd7: // TEM, RSTn: no segment
			continue
		case marker == 0x00, marker == 0xd8:
			return p, fmt.Errorf("the JPEG has marker %#02x where none may be", marker)
		}
		if at+2 > len(b) {
			return p, errCut
		}
		length := int(b[at])<<8 | int(b[at+1])
		if length < 2 {
			return p, fmt.Errorf("the JPEG's segment %#02x has no length", marker)
		}
		if at+length > len(b) {
			return p, errCut
		}
		segment := b[at+2 : at+length]
		at += length
		switch {
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc: // SOFn
			if err := p.frame(marker, segment); err != nil {
				return p, err
			}
		case marker == 0xda: // SOS
			if scans++; p.width == 0 {
				return p, errors.New("the JPEG has a scan before its frame header")
			}
			if scans > maxScans {
				return p, fmt.Errorf("the JPEG has more than %d scans", maxScans)
			}
			at = afterScan(b, at)
		}
	}
}

// frame reads a frame header (B.2.2).
func (p *picture) frame(marker byte, s []byte) error {
	switch {
	case p.width != 0:
		return errors.New("the JPEG has two frame headers")
	case marker > 0xc2:
		return fmt.Errorf("the JPEG is of a rare kind (SOF%d): want baseline or progressive", marker-0xc0)
	case len(s) < 6 || len(s) != 6+3*int(s[5]):
		return errors.New("the JPEG's frame header has a wrong length")
	case s[0] != 8 || s[5] != 1 && s[5] != 3:
		return fmt.Errorf("the JPEG has %d components of %d bits: want 1 or 3 of 8", s[5], s[0])
	}
	h, w := int(s[1])<<8|int(s[2]), int(s[3])<<8|int(s[4])
	if w < 1 || h < 1 || w > maxSide || h > maxSide {
		return fmt.Errorf("the JPEG says that it has %d × %d pixels: want 1 to %d a side", w, h, maxSide)
	}
	p.width, p.height = w, h
	return nil
}

// afterScan finds the marker that ends the entropy-coded bytes at b[at:].
func afterScan(b []byte, at int) int {
	for {
		i := bytes.IndexByte(b[at:], 0xff)
		if i < 0 || at+i+1 >= len(b) {
			return len(b)
		}
		at += i
		if next := b[at+1]; next != 0 && (next < 0xd0 || next > 0xd7) {
			return at
		}
		at += 2
	}
}
