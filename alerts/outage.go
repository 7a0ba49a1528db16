package alerts

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Cause is what cameras that fail together have in common.
type Cause string

// The causes, the widest first.
const (
	CauseCell   Cause = "cell"   // the cameras of a grid cell of any level
	CauseUplink Cause = "uplink" // those on one line
	CauseHost   Cause = "host"   // those of one recorder or switch
	CauseCamera Cause = "camera" // one alone
)

// OutageRule says when cameras that fail are work for their maintainer.
type OutageRule struct {
	// Hold is for how long one has failed before it counts; 0 counts none.
	Hold time.Duration `yaml:"hold"`
	// Together is how many fail at least, and Share which share of those that
	// have a thing in common, before it is the cause.
	Together int     `yaml:"together"`
	Share    float64 `yaml:"share"`
}

// CameraState is one camera as the patrol sees it, failing or not.
type CameraState struct {
	Camera string
	Host   string   // its address; many channels of a recorder have one
	Uplink string   // the line that it shares with others
	Cells  []string // ids of its cells, from the top down
	// Down since when, and why; zero while it works.
	Down   time.Time
	Reason string
}

// Outage is cameras that fail for one cause.
type Outage struct {
	Cause Cause
	// ID is the cell, uplink, host or camera.
	ID      string
	Cameras []string // sorted
	Since   time.Time
	Reason  string // the commonest
}

// Key is the outage's place in a condition, in place of a camera's id.
func (o Outage) Key() string {
	if o.Cause == CauseCamera {
		return o.ID
	}
	return string(o.Cause) + "." + o.ID
}

// Outages finds the causes of the cameras that fail: the widest thing of which
// enough fail takes all of its cameras that do. A cell is the cause only when
// more than one host in it fails. What nothing explains is a camera's own.
// None is left out once it has failed for the rule's time; those that have
// begun to fail together with one are counted with it at once, so that a
// growing outage does not begin as many.
func Outages(all []CameraState, rule OutageRule, now time.Time) []Outage {
	if rule.Hold <= 0 {
		return nil
	}
	taken := map[string]bool{}
	var outages []Outage
	collect := func(cause Cause, keyOf func(CameraState) string) {
		groups := map[string][]CameraState{}
		total := map[string]int{}
		for _, c := range all {
			key := keyOf(c)
			if key == "" || taken[c.Camera] {
				continue
			}
			total[key]++
			if !c.Down.IsZero() {
				groups[key] = append(groups[key], c)
			}
		}
		for key, down := range groups {
			if cause != CauseCamera && !rule.together(cause, down, total[key]) || !ripe(down, rule, now) {
				continue
			}
			outages = append(outages, outageOf(cause, key, down))
			for _, c := range down {
				taken[c.Camera] = true
			}
		}
	}
	depth := 0
	for _, c := range all {
		depth = max(depth, len(c.Cells))
	}
	for level := range depth {
		collect(CauseCell, func(c CameraState) string {
			if level < len(c.Cells) {
				return c.Cells[level]
			}
			return ""
		})
	}
	collect(CauseUplink, func(c CameraState) string { return c.Uplink })
	collect(CauseHost, func(c CameraState) string { return c.Host })
	collect(CauseCamera, func(c CameraState) string { return c.Camera })
	slices.SortFunc(outages, func(a, b Outage) int { return strings.Compare(a.Key(), b.Key()) })
	return outages
}

// together tells whether so many fail of what they have in common that this is
// the cause.
func (r OutageRule) together(cause Cause, down []CameraState, total int) bool {
	if len(down) < max(2, r.Together) || float64(len(down)) < r.Share*float64(total) {
		return false
	}
	return cause != CauseCell || slices.ContainsFunc(down, func(c CameraState) bool { return c.Host != down[0].Host })
}

// ripe tells whether one of the cameras has failed for long enough.
func ripe(down []CameraState, rule OutageRule, now time.Time) bool {
	return slices.ContainsFunc(down, func(c CameraState) bool { return now.Sub(c.Down) >= rule.Hold })
}

func outageOf(cause Cause, id string, down []CameraState) Outage {
	o := Outage{Cause: cause, ID: id, Since: down[0].Down}
	reasons := map[string]int{}
	for _, c := range down {
		o.Cameras = append(o.Cameras, c.Camera)
		reasons[c.Reason]++
		if c.Down.Before(o.Since) {
			o.Since = c.Down
		}
	}
	slices.Sort(o.Cameras)
	for reason, n := range reasons {
		if c := cmp.Compare(n, reasons[o.Reason]); c > 0 || c == 0 && reason < o.Reason {
			o.Reason = reason
		}
	}
	return o
}
