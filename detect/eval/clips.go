package eval

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// Media makes sources of labelled clips; ffmpeg decodes them.
type Media struct {
	// Dir holds the folders video and labelled.
	Dir string
	// ZoneKinds are the kinds of zones that the build has a rule for; zones of
	// other kinds are not shown to it.
	ZoneKinds []inventory.ZoneKind
	// Dwell returns how long the rule of a kind waits in a zone; nil means the
	// zone's own dwell, whatever the kind.
	Dwell func(z inventory.Zone, kind string) time.Duration
}

func (m Media) dwell(z inventory.Zone, kind string) time.Duration {
	if m.Dwell == nil {
		return z.Dwell
	}
	return m.Dwell(z, kind)
}

// clipBegin is when every clip begins, by the watch's clock: a working day's
// forenoon.
var clipBegin = time.Date(2026, 3, 3, 2, 0, 0, 0, time.UTC)

// degradedWidth is the width of degraded pictures, that of a sub stream; the
// strengths are given for it.
const degradedWidth = 640

// Sources returns what the labels of one clip make: the clip at each interval,
// each standing thing, and each degradation at each strength.
func (m Media) Sources(l Labels) ([]Source, error) {
	file := filepath.Join(m.Dir, "video", l.Clip)
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("the clip is not there (--media names the folder that holds video/%s): %w", l.Clip, err)
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		return nil, errors.New("ffmpeg is not installed: clips cannot be read")
	}
	if err := m.derive(&l); err != nil {
		return nil, err
	}
	intervals := l.Intervals
	if len(intervals) == 0 {
		intervals = []float64{1}
	}
	var out []Source
	for _, s := range intervals {
		f := film{media: m, labels: l, interval: s, repeat: max(1, l.Repeat), width: l.Width}
		out = append(out, f.source(GroupClip, fmt.Sprintf("%s at %g s", l.Clip, s), l.Zones))
	}
	for _, s := range l.Standing {
		out = append(out, m.standing(l, s, intervals[0]))
	}
	if l.Degraded == nil {
		return out, nil
	}
	for _, d := range Degradations() {
		if slices.Contains(l.Degraded.Not, d.Name) {
			continue
		}
		for strength := 1; strength <= len(d.Strength); strength++ {
			out = append(out, m.degraded(l, d, strength, intervals[0]))
		}
	}
	return out, nil
}

// derive adds the happenings that others' boxes tell.
func (m Media) derive(l *Labels) error {
	if l.Boxes == nil {
		return nil
	}
	file, err := os.Open(filepath.Join(m.Dir, filepath.FromSlash(l.Boxes.File)))
	if err != nil {
		return err
	}
	defer file.Close()
	spans, err := FlameSpans(file, l.Length, l.Boxes.Gap)
	if err != nil {
		return fmt.Errorf("%s: %w", l.Boxes.File, err)
	}
	l.Happenings = slices.Clone(l.Happenings)
	for _, s := range spans {
		l.Happenings = append(l.Happenings, LabelledMoment{
			Kind: l.Boxes.Kind, Zone: l.Boxes.Zone, Begin: s.Begin, End: s.End, Notes: "by the boxes of " + l.Boxes.File,
		})
	}
	return nil
}

func (m Media) standing(l Labels, s StandingThing, interval float64) Source {
	f := film{media: m, labels: l, interval: interval, repeat: max(1, s.Repeat), width: l.Width, thing: &s}
	f.labels.Happenings, f.labels.Traps, f.labels.Undisturbed = nil, nil, nil
	out := f.source(GroupStanding, l.Clip+" with "+s.Name, []LabelledZone{s.Zone})
	if s.Brief {
		out.Traps = append(out.Traps, Trap{Zone: s.Zone.ID, Begin: f.at(s.Begin), End: f.at(s.End), Notes: s.Notes})
		return out
	}
	out.Happenings = append(out.Happenings, Happening{
		Kind: s.Kind, Zone: s.Zone.ID, Begin: f.at(s.Begin), End: f.at(s.End), Dwell: m.dwell(s.Zone.zone(), s.Kind), Notes: s.Notes,
	})
	return out
}

func (m Media) degraded(l Labels, d Degradation, strength int, interval float64) Source {
	f := film{
		media: m, labels: l, interval: interval, repeat: max(1, l.Degraded.Repeat), width: degradedWidth,
		worse: &d, strength: strength, from: l.Degraded.From, to: l.Degraded.To,
	}
	zones := l.Zones
	if d.Shifts {
		zones, f.labels.Happenings, f.labels.Traps = nil, nil, nil
	}
	f.labels.Undisturbed = nil
	out := f.source(GroupDegraded, fmt.Sprintf("%s, %s %d", l.Clip, d.Name, strength), zones)
	out.Variant = fmt.Sprintf("%s %d", d.Name, strength)
	if d.Fault != "" {
		out.Happenings = append(out.Happenings, Happening{
			Kind: d.Fault, Begin: f.at(f.from), End: f.at(f.to), Notes: d.Notes,
		})
	}
	return out
}

// film is one way to show a clip.
type film struct {
	media    Media
	labels   Labels
	interval float64
	repeat   int
	width    int
	// thing is pasted in; worse is applied with a strength within from..to.
	thing    *StandingThing
	worse    *Degradation
	strength int
	from, to float64
}

func duration(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }

// leadSamples is how many samples are shown before the clip begins.
func (f film) leadSamples() int {
	if f.labels.LeadIn == nil {
		return 0
	}
	return int(math.Ceil(f.labels.LeadIn.For / f.interval))
}

// at is when a second of the clip is received.
func (f film) at(second float64) time.Time {
	return clipBegin.Add(time.Duration(f.leadSamples())*duration(f.interval) + duration(second))
}

func (f film) source(group Group, name string, zones []LabelledZone) Source {
	l := f.labels
	precision := l.Precision
	if precision == 0 {
		precision = defaultPrecision
	}
	s := Source{
		Name: name, Group: group, Split: l.Split, Precision: duration(precision), Samples: f.samples,
		Config: detect.Config{Camera: l.Clip, Interval: duration(f.interval)},
	}
	byID := map[string]inventory.Zone{}
	for _, z := range zones {
		byID[z.ID] = z.zone()
		if slices.Contains(f.media.ZoneKinds, z.Kind) {
			s.Config.Zones = append(s.Config.Zones, z.zone())
		}
	}
	for i := range f.repeat {
		past := float64(i) * l.Length
		for _, h := range l.Happenings {
			s.Happenings = append(s.Happenings, Happening{
				Kind: h.Kind, Zone: h.Zone, Begin: f.at(past + h.Begin), End: f.at(past + h.End),
				Dwell: f.media.dwell(byID[h.Zone], h.Kind), Unsure: h.Unsure, Notes: h.Notes,
			})
		}
		for _, t := range l.Traps {
			s.Traps = append(s.Traps, Trap{
				Kind: t.Kind, Zone: t.Zone, Begin: f.at(past + t.Begin), End: f.at(past + t.End), Notes: t.Notes,
			})
		}
		for _, p := range l.Undisturbed {
			s.Undisturbed = append(s.Undisturbed, Stretch{Begin: f.at(past + p.From), End: f.at(past + p.To)})
		}
	}
	return s
}

// samples yields the lead-in, then the clip.
func (f film) samples(ctx context.Context) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		at, step := clipBegin, duration(f.interval)
		if n := f.leadSamples(); n > 0 {
			all, err := f.lead(ctx, n)
			if err != nil {
				yield(Sample{}, fmt.Errorf("lead-in: %w", err))
				return
			}
			var p detect.Picture
			for i := range n {
				// A watch masks in place, and these are shown again.
				keep(&p.Y, all[i%len(all)].Y)
				keep(&p.Cb, all[i%len(all)].Cb)
				keep(&p.Cr, all[i%len(all)].Cr)
				if !yield(Sample{At: at, Picture: p}, nil) {
					return
				}
				at = at.Add(step)
			}
		}
		for p, err := range decode(ctx, f.clip()...) {
			if !yield(Sample{At: at, Picture: p}, err) || err != nil {
				return
			}
			at = at.Add(step)
		}
	}
}

// leadMost bounds the pictures of a lead-in that are held at a time.
const leadMost = 48

func (f film) lead(ctx context.Context, n int) ([]detect.Picture, error) {
	in := f.labels.LeadIn
	// Every picture only once: the same picture twice on end looks frozen.
	rate := float64(min(n, leadMost)) / (in.To - in.From)
	args := []string{"-ss", number(in.From), "-t", number(in.To - in.From), "-i", f.file(f.labels.Clip)}
	args = append(args, f.graph(fmt.Sprintf("fps=%s", number(rate)), false)...)
	var all []detect.Picture
	for p, err := range decode(ctx, args) {
		if err != nil {
			return nil, err
		}
		var own detect.Picture
		keep(&own.Y, p.Y)
		keep(&own.Cb, p.Cb)
		keep(&own.Cr, p.Cr)
		if all = append(all, own); len(all) == leadMost {
			break
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no picture")
	}
	return all, nil
}

func (f film) file(clip string) string { return filepath.Join(f.media.Dir, "video", clip) }

// clip returns the arguments of the ffmpegs that decode it, each reading what
// the one before writes.
func (f film) clip() [][]string {
	length := number(f.labels.Length * float64(f.repeat))
	in := []string{"-stream_loop", fmt.Sprint(f.repeat - 1), "-i", f.file(f.labels.Clip)}
	// The picture of a sample is the last one that was taken by then.
	pick := fmt.Sprintf("fps=1/%s:round=up:start_time=0", number(f.interval))
	if f.worse != nil && f.worse.Freeze {
		pick = fmt.Sprintf("select='not(between(t,%s,%s))',%s", number(f.from), number(f.to), pick)
	}
	out := append(f.graph(pick, true), "-t", length)
	if f.worse == nil || len(f.worse.Encode) == 0 {
		return [][]string{append(in, out...)}
	}
	first := append(in, "-an", "-vf", fmt.Sprintf("scale=%d:-2", f.width), "-t", length)
	for _, a := range f.worse.Encode {
		first = append(first, f.worse.fill(a, f.strength, f.from, f.to))
	}
	first = append(first, "-f", "matroska", "-")
	return [][]string{first, append([]string{"-i", "pipe:0"}, out...)}
}

// graph returns the arguments that filter: pick takes samples; clip is false
// for the lead-in, which is neither worse nor ever without a thing that is
// yet to be taken.
func (f film) graph(pick string, clip bool) []string {
	filters := []string{pick}
	if f.width > 0 {
		filters = append(filters, fmt.Sprintf("scale=%d:-2", f.width))
	}
	if d := f.worse; d != nil {
		// Before the clip nothing is worse, but the base holds.
		from, to, all := f.from, f.to, []string{d.Base, d.Filter}
		if !clip {
			from, to, all = -2, -1, all[:1]
		}
		for _, filter := range all {
			if filter != "" {
				filters = append(filters, d.fill(filter, f.strength, from, to))
			}
		}
	}
	chain := strings.Join(filters, ",")
	if f.thing == nil {
		return []string{"-vf", chain}
	}
	t := f.thing
	there := fmt.Sprintf("between(t,%s,%s)", number(t.Begin), number(t.End))
	switch {
	case t.Taken && clip:
		there = "not(" + there + ")"
	case t.Taken:
		there = "1"
	case !clip:
		there = "0"
	}
	source := t.Clip
	if source == "" {
		source = f.labels.Clip
	}
	// Soft edges of 4 pixels, as a lens draws them.
	const soft = "format=yuva420p,geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='255*min(1,min(min(X+1,W-X),min(Y+1,H-Y))/4)'"
	paste := fmt.Sprintf("[1:v]trim=end_frame=1,setpts=PTS-STARTPTS[b];[b]%s[c];", box(t.Crop))
	if t.Light != nil {
		// Twice the patch as one pixel, now and when the thing was cut out; 256 of
		// ten bits says that the light is the same.
		patch := box(*t.Light) + ",format=gbrp10,scale=1:1:flags=area"
		paste = fmt.Sprintf("[a]split[a][l];[l]%[1]s[l];[1:v]trim=end_frame=1,setpts=PTS-STARTPTS,split[b][r];[r]%[1]s[r];"+
			"[l][r]blend=all_expr='min(1023,256*A/max(1,B))'[g];[b]%[2]s,format=gbrp10[c];"+
			"[g][c]scale2ref=flags=neighbor[g][c];[g][c]blend=all_expr='min(1023,A*B/256)',setsar=1,format=yuv420p[c];", patch, box(t.Crop))
	}
	// The width of what it is pasted into is not known here: scale2ref is told.
	graph := fmt.Sprintf(
		"[0:v]%s[a];%s[c][a]scale2ref=w='2*trunc(iw*%g/2)':h='2*trunc(ow/mdar/2)'[c][a];[c]%s[c];[a][c]overlay=x='W*%g':y='H*%g':enable='%s'",
		chain, paste, t.Size, soft, t.Place[0], t.Place[1], there)
	return []string{"-ss", number(t.At), "-t", "0.2", "-i", f.file(source), "-filter_complex", graph}
}

// box cuts x, y, width, height (0..1) out of a picture.
func box(b [4]float64) string {
	return fmt.Sprintf("crop=w=iw*%g:h=ih*%g:x=iw*%g:y=ih*%g", b[2], b[3], b[0], b[1])
}
