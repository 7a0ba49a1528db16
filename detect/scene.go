package detect

import (
	"hash/crc32"
	"time"
)

// How scene health decides. Luma levels are steps above black of 0..255.
const (
	darkMean, darkHigh   = 10, 22 // dark: mean and 95th percentile below both
	lightMean, lightHigh = 16, 36 // light again: either above
	flatSharp            = 0.35   // covered: hardly any gradient at all
	clearSharp           = 0.6    // uncovered again, when nothing was learned
	lostBlocks           = 0.7    // covered: this share of the texture is gone
	foundBlocks          = 0.4    // uncovered again: less than this is gone
	faultSamples         = 2      // samples in a row that declare a fault, or its end
	frozenSamples        = 3      // identical samples in a row, and
	frozenSpan           = 10 * time.Second
	settleSamples        = 1 // samples after a fault in which nothing begins or ends
)

// look is what scene health measures in one picture.
type look struct {
	// mean and high (95th percentile) are luma above black; raw is mean luma
	// as it came.
	mean, high, raw, sharp float64
	// lost is the share of learned texture that is gone, -1 when not enough
	// was learned to tell.
	lost float64
	// hash is of the whole masked luma plane.
	hash uint32
	// blank: all of it is masked, so nothing can be told.
	blank bool
}

// health is scene health's memory of one camera.
type health struct {
	Fault Fault     `json:"fault,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Suspect is what the newest samples look like when it is not Fault,
	// Count how many in a row did, First when.
	Suspect Fault     `json:"suspect,omitempty"`
	Count   int       `json:"count,omitempty"`
	First   time.Time `json:"first,omitzero"`
	// Hash is of the newest picture, Same how many in a row had it, SameFrom
	// the first of them.
	Hash     uint32    `json:"hash,omitempty"`
	Same     int       `json:"same,omitempty"`
	SameFrom time.Time `json:"same_from,omitzero"`
	// Settle counts down samples after a fault.
	Settle int `json:"settle,omitempty"`
}

// judge takes one look into account. The scene is trusted when there is no
// fault, none is suspected, and the picture is not the previous one again.
func (h health) judge(l look, now time.Time) (next health, trusted bool) {
	if h.Same > 0 && l.hash == h.Hash && !l.blank {
		h.Same++
	} else {
		h.Hash, h.Same, h.SameFrom = l.hash, 1, now
	}
	seems, since := h.seems(l, now), now
	if seems == SceneFrozen {
		since = h.SameFrom
	}
	if seems == h.Fault {
		h.Suspect, h.Count = h.Fault, 0
	} else {
		if h.Count == 0 || seems != h.Suspect {
			h.Suspect, h.Count, h.First = seems, 0, since
		}
		h.Count++
		// Identical pictures have been counted already.
		if h.Count >= faultSamples || seems == SceneFrozen {
			if h.Fault != SceneOK && seems == SceneOK {
				h.Settle = settleSamples + 1
			}
			h.Fault, h.Since, h.Count = seems, h.First, 0
		}
	}
	trusted = h.Fault == SceneOK && h.Count == 0 && h.Same == 1
	if trusted && h.Settle > 0 {
		h.Settle--
	}
	return h, trusted
}

// seems says what one look alone suggests, with the thresholds of the fault
// that holds.
func (h health) seems(l look, now time.Time) Fault {
	dark := l.mean < darkMean && l.high < darkHigh
	if h.Fault == SceneDark {
		dark = l.mean < lightMean && l.high < lightHigh
	}
	covered := l.sharp < flatSharp || l.lost > lostBlocks
	if h.Fault == SceneCovered {
		covered = l.sharp < flatSharp || l.lost > foundBlocks || (l.lost < 0 && l.sharp < clearSharp)
	}
	switch {
	case l.blank:
		return SceneOK
	case dark:
		return SceneDark
	case covered:
		return SceneCovered
	case h.Same >= frozenSamples && now.Sub(h.SameFrom) >= frozenSpan:
		return SceneFrozen
	default:
		return SceneOK
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fingerprint is the same for identical pictures. A sensor's noise makes two
// looks at one scene differ; only a stuck picture repeats to the bit.
func fingerprint(p Plane) uint32 {
	var h uint32
	for y := range p.Height {
		h = crc32.Update(h, castagnoli, p.Row(y))
	}
	return h
}
