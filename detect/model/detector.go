package model

import (
	"errors"
	"fmt"
	"slices"

	"videopatrol/detect"
)

// Backend computes networks.
type Backend interface {
	// Name is what people call it.
	Name() string
	// Open makes a session of a model's bytes. What it cannot run is an
	// error, as far as the library can be kept from ending the process; so an
	// unknown model is proved in a child first.
	Open(f File) (Session, error)
}

// Session is one network, ready to run on its caller's thread. It is not safe
// for concurrent use.
type Session interface {
	// Input are the numbers of one picture, three planes of the manifest's
	// size, to be written before Run.
	Input() []float32
	// Run computes the outputs of the input; the next Run overwrites them.
	Run() ([]Tensor, error)
	Close() error
}

// Options are what a Detector needs. Manifest and Session are required.
type Options struct {
	Manifest Manifest
	Session  Session
	// Score is from where on a detection counts; 0 means the manifest's.
	Score float64
}

// Detector finds objects by a model, or says what a whole picture shows. It is
// not safe for concurrent use.
type Detector struct {
	o       Options
	adapter adapter
	filler  *filler
	all     []found
}

var _ detect.Detector = (*Detector)(nil)

// New returns a Detector once the network has answered for a grey input in
// the form that its manifest promises. It takes over the session.
func New(o Options) (*Detector, error) {
	if o.Session == nil {
		return nil, errors.New("model: Session is required")
	}
	if path, err := o.Manifest.check(); err != nil {
		return nil, errors.Join(fmt.Errorf("model %s: %s: %w", o.Manifest.Name, path, err), o.Session.Close())
	}
	if o.Score == 0 {
		o.Score = o.Manifest.Output.Score
	}
	d := &Detector{o: o, adapter: newAdapter(&o.Manifest), filler: newFiller(o.Manifest.Input)}
	in := o.Session.Input()
	if want := 3 * o.Manifest.Input.Width * o.Manifest.Input.Height; len(in) != want {
		return nil, errors.Join(fmt.Errorf("model %s: an input of %d numbers, want %d", o.Manifest.Name, len(in), want), o.Session.Close())
	}
	for plane := range 3 {
		set(in[plane*len(in)/3:][:len(in)/3], d.filler.grey(plane, 128))
	}
	out, err := o.Session.Run()
	if err == nil {
		err = d.adapter.decode(out, float32(o.Score), func(candidate) {})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("model %s: %w", o.Manifest.Name, err), o.Session.Close())
	}
	return d, nil
}

// Open loads a model file into a backend.
func Open(b Backend, f File) (*Detector, error) {
	s, err := b.Open(f)
	if err != nil {
		return nil, fmt.Errorf("model %s, %s: %w", f.Manifest.Name, b.Name(), err)
	}
	return New(Options{Manifest: f.Manifest, Session: s})
}

// Close frees the session.
func (d *Detector) Close() error { return d.o.Session.Close() }

// Side is the shorter side of the model's input, for detect.Crops.
func (d *Detector) Side() int { return min(d.o.Manifest.Input.Width, d.o.Manifest.Input.Height) }

// Classes returns what can be found.
func (d *Detector) Classes() []string {
	return slices.DeleteFunc(slices.Clone(d.o.Manifest.Classes), func(c string) bool { return c == None })
}

// Detect looks at one crop after another: networks that are exported for one
// picture gain nothing from several at once on one thread.
func (d *Detector) Detect(looks []detect.Look) ([][]detect.Detection, error) {
	results := make([][]detect.Detection, len(looks))
	for i, l := range looks {
		r, err := d.look(l)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", d.o.Manifest.Name, err)
		}
		results[i] = r
	}
	return results, nil
}

var whole = []detect.Box{{W: 1, H: 1}}

func (d *Detector) look(l detect.Look) ([]detect.Detection, error) {
	if err := l.Picture.Check(); err != nil {
		return nil, err
	}
	crops := l.Crops
	if len(crops) == 0 {
		crops = whole
	}
	if len(crops) > detect.MaxCrops {
		return nil, fmt.Errorf("%d crops of one picture: at most %d", len(crops), detect.MaxCrops)
	}
	d.all = d.all[:0]
	for i, crop := range crops {
		at, err := d.filler.fill(d.o.Session.Input(), l.Picture, crop)
		if err != nil {
			return nil, err
		}
		out, err := d.o.Session.Run()
		if err != nil {
			return nil, err
		}
		if err := d.adapter.decode(out, float32(d.o.Score), func(c candidate) { d.add(i, &at, crop, c) }); err != nil {
			return nil, err
		}
	}
	return merge(d.all, d.o.Manifest.Output.Overlap), nil
}

// add keeps a candidate as a detection in the picture.
func (d *Detector) add(crop int, at *frame, area detect.Box, c candidate) {
	f := found{class: c.class, crop: crop, Detection: detect.Detection{
		Class: d.o.Manifest.Classes[c.class], Score: float64(c.score), Box: area,
	}}
	if f.Class == None {
		return
	}
	if d.o.Manifest.Task == TaskDetect {
		var ok bool
		if f.Box, ok = at.box(float64(c.x0), float64(c.y0), float64(c.x1), float64(c.y1)); !ok {
			return
		}
		f.cut = at.cut(f.Box)
	}
	d.all = append(d.all, f)
}
