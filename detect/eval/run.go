package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"videopatrol/detect"
)

// Options are what Run needs. NewWatch is required.
type Options struct {
	// NewWatch returns a watch, the imaging that it works with and what frees
	// them; they are used by one goroutine.
	NewWatch func(detect.Config) (*detect.Watch, detect.Imaging, func(), error)
	// Kinds and Faults are what the build can find; none means detect's own
	// kinds, and no fault.
	Kinds  []detect.Kind
	Faults []detect.Fault
	// Only are the kinds and faults to be counted; none means all.
	Only []string
	// Jobs is how many sources run at a time; 0 means 1.
	Jobs int
	// Done, if any, is told of each source that has run; one at a time.
	Done func(s Source, err error)
	// Now stamps the report; nil means time.Now.
	Now func() time.Time
}

// stillWidth is the widest picture of a moment, in pixels.
const stillWidth = 480

// Run runs every source through a watch of its own and reports. A source that
// cannot be read is named in the report, and the error joins those of others.
func Run(ctx context.Context, o Options, sources []Source) (*Report, error) {
	if o.NewWatch == nil {
		return nil, errors.New("eval: NewWatch is required")
	}
	if len(sources) == 0 {
		return nil, errors.New("eval: nothing to run: no source is labelled")
	}
	if o.Kinds == nil {
		o.Kinds = detect.Kinds()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var mu sync.Mutex
	var errs []error
	b := newBuilder(o)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, o.Jobs))
	for i, s := range sources {
		g.Go(func() error {
			w, err := o.watch(ctx, s)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				err = fmt.Errorf("%s: %w", s.Name, err)
				errs = append(errs, err)
			}
			b.add(i, s, w, err)
			if o.Done != nil {
				o.Done(s, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return b.report(), errors.Join(errs...)
}

// run is what one source gave.
type run struct {
	facts Facts
	// stages are the seconds of each sample, by stage.
	stages map[string][]float64
	// stills are pictures of the happenings, by index, as they became due.
	stills map[int][2][]byte
}

// watch runs one source; what it had until an error is returned with it.
func (o Options) watch(ctx context.Context, s Source) (run, error) {
	r := run{facts: o.facts(s), stages: map[string][]float64{}, stills: map[int][2][]byte{}}
	w, imaging, free, err := o.NewWatch(s.Config)
	if err != nil {
		return r, err
	}
	defer free()
	v := viewer{run: &r, imaging: imaging, running: map[[2]string]int{}}
	for sample, err := range s.Samples(ctx) {
		if err != nil {
			return r, err
		}
		p := sample.Picture
		p.Unwatched = true
		result, err := w.See(p, sample.At)
		if err != nil {
			return r, err
		}
		if err := v.note(p, result); err != nil {
			return r, err
		}
	}
	if len(r.facts.Samples) == 0 {
		return r, errors.New("it gave no sample")
	}
	return r, nil
}

func (o Options) facts(s Source) Facts {
	return Facts{
		Happenings: s.Happenings, Traps: s.Traps, Interval: s.Config.Interval, Precision: s.Precision,
		HasRule: func(kind, zone string) bool {
			if zone == "" {
				return slices.Contains(o.Faults, detect.Fault(kind))
			}
			known := slices.Contains(o.Kinds, detect.Kind(kind))
			for _, z := range s.Config.Zones {
				if z.ID == zone {
					return known
				}
			}
			return false
		},
	}
}

// viewer gathers conditions and pictures from the results of a watch.
type viewer struct {
	*run
	imaging detect.Imaging
	// running are the conditions that have not ended, by kind and zone.
	running map[[2]string]int
	fault   detect.Fault
	// before is the masked picture of the sample before.
	before detect.Picture
}

func (v *viewer) note(p detect.Picture, r detect.Result) error {
	now := r.Received
	v.facts.Samples = append(v.facts.Samples, now)
	for name, s := range r.Stages {
		v.stages[name] = append(v.stages[name], s)
	}
	var began []int
	begin := func(c Condition) {
		v.running[[2]string{c.Kind, c.Zone}] = len(v.facts.Conditions)
		began = append(began, len(v.facts.Conditions))
		v.facts.Conditions = append(v.facts.Conditions, c)
	}
	end := func(kind, zone string) {
		if i, ok := v.running[[2]string{kind, zone}]; ok {
			v.facts.Conditions[i].Ended = now
			delete(v.running, [2]string{kind, zone})
		}
	}
	if f := r.Scene.Fault; f != v.fault {
		end(string(v.fault), "")
		if v.fault = f; f != detect.SceneOK {
			begin(Condition{Kind: string(f), Declared: now})
		}
	}
	for _, f := range r.Findings {
		switch f.Phase {
		case detect.PhaseBegin:
			begin(Condition{Kind: string(f.Kind), Zone: f.Zone, Declared: now, Why: f.Why, Boxes: f.Boxes})
		case detect.PhaseEnd:
			end(string(f.Kind), f.Zone)
		case detect.PhaseContinue:
		}
	}
	return v.picture(p, now, began)
}

// picture keeps the pictures of what began now or became due, and remembers
// this one for the next sample.
func (v *viewer) picture(p detect.Picture, now time.Time, began []int) error {
	var due []int
	for i, h := range v.facts.Happenings {
		_, have := v.stills[i]
		if at := h.due().Add(v.facts.Precision); !have && !now.Before(at) && !now.After(h.End.Add(v.facts.Interval)) {
			due = append(due, i)
		}
	}
	if len(began)+len(due) > 0 {
		still, err := v.imaging.JPEG(p, stillWidth)
		if err != nil {
			return err
		}
		var before []byte
		if v.before.Y.Width > 0 {
			if before, err = v.imaging.JPEG(v.before, stillWidth); err != nil {
				return err
			}
		}
		for _, i := range began {
			v.facts.Conditions[i].Still, v.facts.Conditions[i].Before = still, before
		}
		for _, i := range due {
			v.stills[i] = [2][]byte{still, before}
		}
	}
	keep(&v.before.Y, p.Y)
	keep(&v.before.Cb, p.Cb)
	keep(&v.before.Cr, p.Cr)
	v.before.FullRange = p.FullRange
	return nil
}

func keep(to *detect.Plane, p detect.Plane) {
	pix := append(to.Pix[:0], p.Pix...)
	*to = p
	to.Pix = pix
}
