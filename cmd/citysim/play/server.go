package play

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"videopatrol/cmd/citysim/city"
	"videopatrol/cmd/citysim/scene"
	"videopatrol/inventory"
)

// warmUp is how far ahead of its start a script is rendered before the
// cameras answer; the rest is rendered while they run.
const warmUp = 3 * time.Minute

// Options say what to serve.
type Options struct {
	// Seed, Cameras, Hosts, Scenes, Kinds, Username and Password are the city's.
	Seed     uint64
	Cameras  int
	Hosts    int
	Scenes   int
	Kinds    []scene.Kind
	Username string
	Password inventory.Secret
	// Listen is the host and port of RTSP; stills are one port above. Port 0
	// takes two free ports.
	Listen string
	// Media is a folder of video files that the cameras play in turn instead
	// of scenes; "" plays scenes.
	Media string
	// Rows are what happens, and what befalls connections.
	Rows    []Row
	Ledger  *Ledger
	Library *Library
	// FirstKeyNow answers PLAY with a key unit at once, as an encoder does that
	// is asked for one; else a reader joins at a random moment of a GOP.
	FirstKeyNow bool
	// MaxPending is how many bytes may wait for a reader before it is cut
	// off; 0 means 512 KiB, ten seconds of a stream.
	MaxPending int
	Logger     *slog.Logger
	// Ready is called once with the address that was taken, when every camera
	// answers. It may be nil.
	Ready func(listen string)
}

// Server is a running city.
type Server struct {
	o       Options
	cameras []*camera
	byID    map[string]*camera
	footage []*footage
	hosts   []*host
	tally   *tally
	kitchen chan order
	log     *slog.Logger
}

// order asks for what a happening needs to be rendered.
type order struct {
	camera *camera
	kind   Kind
}

// New checks the options and lays out the city's cameras.
func New(o Options) (*Server, error) {
	if o.Library == nil || o.Ledger == nil || o.Logger == nil {
		return nil, errors.New("a server wants a library, a ledger and a logger")
	}
	if o.Username == "" || o.Password == "" {
		return nil, errors.New("a server wants a user name and a password")
	}
	if o.MaxPending == 0 {
		o.MaxPending = 512 << 10
	}
	of := city.Options{Seed: o.Seed, Cameras: o.Cameras, Listen: o.Listen, Hosts: o.Hosts, Scenes: o.Scenes, Kinds: o.Kinds}
	c, err := city.New(of)
	if err != nil {
		return nil, err
	}
	o.Rows = spread(o.Rows, c.Cameras)
	s := &Server{o: o, byID: map[string]*camera{}, tally: &tally{}, kitchen: make(chan order, len(o.Rows)+64), log: o.Logger}
	for range max(o.Hosts, 1) {
		s.hosts = append(s.hosts, newHost(s.tally, o.MaxPending, o.Logger))
	}
	sharing := map[int]int{}
	for i, known := range c.Cameras {
		look := of.Look(i)
		if o.Media != "" {
			look = i // clips take turns by themselves
		}
		if look == len(s.footage) {
			s.footage = append(s.footage, &footage{scene: scene.New(of.Kind(i), city.SceneSeed(o.Seed, i)), seed: city.SceneSeed(o.Seed, i), clip: o.Media != ""})
		}
		h := uint64(i+1) * 0x9e3779b97f4a7c15
		cam := &camera{
			footage: s.footage[look], host: s.hosts[i%len(s.hosts)],
			id: known.ID, index: i, zone: known.Zones[0].ID, ledger: o.Ledger, login: inventory.Login{Username: o.Username, Password: o.Password},
			offset: int64(h >> 32 % scene.GOPFrames), stamp: uint32(h), //nolint:gosec // a hash
		}
		const step = 17 // those that share a scene are not in step
		cam.quiets = step * sharing[look]
		sharing[look]++
		s.cameras = append(s.cameras, cam)
		s.byID[cam.id] = cam
	}
	for i, row := range o.Rows {
		if cam, err := s.find(row.Camera); err != nil {
			return nil, fmt.Errorf("script row %d: %w", i+1, err)
		} else if why := row.Kind.happensOn(cam.scene.Kind(), cam.clip); why != "" {
			return nil, fmt.Errorf("script row %d: %s for camera %s: %s", i+1, row.Kind, row.Camera, why)
		}
	}
	return s, nil
}

// find returns a camera by its id, or its index from 0.
func (s *Server) find(name string) (*camera, error) {
	if c := s.byID[name]; c != nil {
		return c, nil
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(s.cameras) {
		return s.cameras[i], nil
	}
	return nil, fmt.Errorf("there is no camera %q: want an id, or an index from 0 to %d", name, len(s.cameras)-1)
}

// Run renders what is missing, serves until ctx ends, and returns when every
// session and every child has ended.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Warm(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to end before it began
		}
		return err
	}
	doors, err := s.open(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { err = errors.Join(err, s.Rehearse(ctx)) })
	wg.Go(func() { s.cook(ctx) })
	if s.o.Ready != nil {
		s.o.Ready(doors.listen)
	}
	served := doors.serve(ctx)
	cancel()
	wg.Wait()
	return errors.Join(served, err)
}

// Rehearse plays a warm city until ctx ends, without anybody to watch it: the
// script runs and the ledger is written.
func (s *Server) Rehearse(ctx context.Context) error {
	start := time.Now()
	s.schedule(start)
	var wg sync.WaitGroup
	wheels := min(runtime.GOMAXPROCS(0), 1+len(s.cameras)/camerasPerWheel)
	for w := range wheels {
		wg.Go(func() { s.wheel(ctx, start, w, wheels) })
	}
	wg.Wait()
	return s.o.Ledger.Err()
}

// Warm renders what the cameras show, and what happens soon.
func (s *Server) Warm(ctx context.Context) error {
	soon := map[*footage][]Kind{}
	for _, row := range s.o.Rows {
		cam, _ := s.find(row.Camera) // checked in New
		if time.Duration(row.After) <= warmUp {
			soon[cam.footage] = append(soon[cam.footage], row.Kind)
		} else {
			s.kitchen <- order{cam, row.Kind}
		}
	}
	clips, err := s.clips(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	done, told := 0, time.Now()
	return each(ctx, len(s.footage), runtime.GOMAXPROCS(0), func(ctx context.Context, i int) error {
		f := s.footage[i]
		if len(clips) > 0 {
			f.reel.Store(&reel{takes: map[scene.Take][]*GOP{scene.Quiet: clips[i%len(clips)]}})
		}
		if err := f.prepare(ctx, s.o.Library, soon[f]...); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if done++; time.Since(told) > 2*time.Second {
			told = time.Now()
			s.log.Info("rendering scenes", "done", done, "of", len(s.footage))
		}
		return nil
	})
}

// clips loads the video files of the media folder, by name.
func (s *Server) clips(ctx context.Context) ([][]*GOP, error) {
	if s.o.Media == "" {
		return nil, nil
	}
	files, err := os.ReadDir(s.o.Media)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	var paths []string
	for _, f := range files {
		if ext := strings.ToLower(filepath.Ext(f.Name())); slices.Contains([]string{".mp4", ".mkv", ".avi", ".mov", ".h264"}, ext) {
			paths = append(paths, filepath.Join(s.o.Media, f.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("media: no video files in %s", s.o.Media)
	}
	clips := make([][]*GOP, min(len(paths), max(len(s.cameras), 1)))
	err = each(ctx, len(clips), runtime.GOMAXPROCS(0), func(ctx context.Context, i int) (err error) {
		clips[i], err = s.o.Library.Clip(ctx, paths[i])
		return err
	})
	return clips, err
}

// schedule puts the script's rows before their cameras.
func (s *Server) schedule(start time.Time) {
	for _, row := range s.o.Rows {
		cam, _ := s.find(row.Camera) // checked in New
		cam.enqueue(s.happening(row, start))
	}
}

func (s *Server) happening(row Row, start time.Time) *happening {
	return &happening{
		id: s.o.Ledger.newID(), kind: row.Kind, due: start.Add(time.Duration(row.After)),
		lasts: time.Duration(row.For), every: time.Duration(row.Every),
	}
}

// cook renders what is asked for while the cameras run, one thing at a time.
func (s *Server) cook(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-s.kitchen:
			if o.camera.reel.Load().has(o.kind) {
				continue
			}
			err := o.camera.prepare(ctx, s.o.Library, o.kind)
			if err != nil && ctx.Err() == nil {
				s.log.Error("rendering failed", "camera", o.camera, "kind", o.kind, "error", err)
			}
		}
	}
}

// Inject makes something happen now, or as soon as it is rendered and what
// runs before the camera is over. It returns the id it will have in the ledger.
func (s *Server) Inject(row Row) (string, error) {
	cam, err := s.find(row.Camera)
	if err != nil {
		return "", err
	}
	if why := row.wrong(); why != "" {
		return "", errors.New(why)
	}
	if why := row.Kind.happensOn(cam.scene.Kind(), cam.clip); why != "" {
		return "", errors.New(why)
	}
	select {
	case s.kitchen <- order{cam, row.Kind}:
	default:
		return "", errors.New("too much is being rendered: try again in a minute")
	}
	h := s.happening(row, time.Now())
	cam.enqueue(h)
	return h.id, nil
}

// slots is how many parts a wheel splits the time of a frame into, so that
// the cameras' frames do not leave in bursts.
const slots = 8

// camerasPerWheel is how many cameras are worth another wheel: about a fifth
// of a processor.
const camerasPerWheel = 500

// wheel sends the frames of every wheels-th camera, each camera in its slot of
// the frame time, until ctx ends.
func (s *Server) wheel(ctx context.Context, start time.Time, w, wheels int) {
	var turns [slots][]*camera
	for i := w; i < len(s.cameras); i += wheels {
		c := s.cameras[i]
		turns[(i/wheels*7)%slots] = append(turns[(i/wheels*7)%slots], c)
	}
	var pad []byte
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	late := false
	for tick := int64(0); ; tick++ {
		due := start.Add(time.Duration(tick) * frameTime / slots)
		if lag := time.Since(due); lag > time.Second {
			start = start.Add(lag)
			if !late {
				late = true
				s.log.Warn("this machine is too slow: frames are late", "lag", lag, "cameras", len(s.cameras))
			}
		} else if lag < 0 {
			timer.Reset(-lag)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		}
		if ctx.Err() != nil {
			break
		}
		now := time.Now()
		for _, c := range turns[tick%slots] {
			c.tick(tick/slots, now, &pad)
		}
	}
	for _, turn := range turns {
		for _, c := range turn {
			c.stop(time.Now())
		}
	}
}

// doors are the listeners of a server.
type doors struct {
	listen string
	rtsp   []*rtspDoor
	web    []net.Listener
	http   *http.Server
}
