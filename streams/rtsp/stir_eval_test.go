package rtsp_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"videopatrol/cmd/citysim/city"
	"videopatrol/cmd/citysim/play"
	"videopatrol/cmd/citysim/scene"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
)

// These tests measure the stir signal on real footage and on simulated cameras,
// as a surveillance camera of today would send them: 704×576, 15 pictures a
// second, a key unit every two seconds. A plain run encodes half of one clip. The
// figures of deploy/stir.md come from all of it, which takes ten minutes on two
// cores; the folder keeps what was encoded:
//
//	STIR_ALL=FOLDER go test ./streams/rtsp -run 'TestStir(ROC|Gain)' -timeout 60m -v [-update-stir]
const (
	stirFPS   = 15
	stirGroup = 30
	groupTime = 2.0 // seconds
)

func stirAll() bool { return os.Getenv("STIR_ALL") != "" }

// span is a part of a clip, in seconds.
type span struct{ begin, end float64 }

// stirClips are labelled by eye, to about 0.2 s.
var stirClips = []struct {
	name, file string
	seen       []span // somebody or something is in the picture that is not there in its quiet
	moves      []span // it also moves from place to place
}{
	{
		"one person at a time, indoors", "intel-one-by-one-person-detection.mp4",
		[]span{{5.9, 19.6}, {22.3, 45.2}, {49.9, 70}, {74.3, 87}, {91.9, 120}, {123.3, 136}},
		[]span{
			{5.9, 8.2},
			{18, 20.5},
			{22.3, 24.5},
			{43.3, 45.5},
			{49.8, 52.5},
			{68, 71},
			{74.3, 77},
			{85, 87.5},
			{91.8, 94.5},
			{117.8, 120.5},
			{123.3, 126},
			{134, 136.5},
		},
	},
	{
		"cars on an empty lot, from above", "intel-car-detection.mp4",
		[]span{{4.1, 8.1}, {14.7, 18.4}, {25.5, 27.7}},
		[]span{{4.1, 8.1}, {14.7, 18.4}, {25.5, 27.7}},
	},
	{
		"a street with trees", "ahmetozlu-input_video.mp4",
		[]span{{14.5, 21}, {27.5, 31}},
		[]span{{0, 11}, {14.5, 21}, {27.5, 31}},
	},
	{"a motorway, always busy", "bgslibrary-video02.avi", nil, nil},
	{"a fire, always burning", "furg-house6.mp4", nil, nil},
}

// stirEncodings are what cameras are set to.
var stirEncodings = []struct {
	name, filter string
	args         []string
}{
	{"variable bitrate", "", h264Args("-crf", "26", "-maxrate", "1500k", "-bufsize", "3000k")},
	{"constant bitrate, 400 kbit/s", "", h264Args("-b:v", "400k", "-maxrate", "400k", "-bufsize", "400k")},
	{"variable bitrate, noise", ",noise=alls=6:allf=t", h264Args("-crf", "26", "-maxrate", "1500k", "-bufsize", "3000k")},
	{"constant bitrate, noise", ",noise=alls=6:allf=t", h264Args("-b:v", "400k", "-maxrate", "400k", "-bufsize", "400k")},
	{"H.265, constant bitrate, 300 kbit/s", "", []string{
		"-c:v", "libx265", "-preset", "superfast", "-tune", "zerolatency", "-b:v", "300k", "-maxrate", "300k", "-bufsize", "300k",
		"-x265-params", "keyint=30:min-keyint=30:scenecut=0:bframes=0:open-gop=0:repeat-headers=1:slices=1:pools=1:frame-threads=1:log-level=error", "-f", "hevc",
	}},
}

func h264Args(rate ...string) []string {
	return append(rate, "-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-threads", "1",
		"-g", "30", "-keyint_min", "30", "-sc_threshold", "0", "-bf", "0",
		"-x264-params", "repeat-headers=1:sliced-threads=0:slices=1:open-gop=0", "-f", "h264")
}

// picture is what the gateway sees of one that it does not take.
type picture struct{ size, qp int }

// stirPhases are from where a clip is encoded, so that what begins in it begins
// at other moments of a group, in seconds.
func stirPhases(clip, encoding int) []float64 {
	switch {
	case !stirAll():
		return []float64{0.7}
	case isH265(encoding) && clip > 1:
		return nil // it is slow to encode
	case stirClips[clip].seen == nil || isH265(encoding):
		return []float64{0}
	default:
		return []float64{0, 0.7, 1.3}
	}
}

func isH265(encoding int) bool { return strings.HasPrefix(stirEncodings[encoding].name, "H.265") }

type encodedClip struct {
	clip, encoding int
	from           float64
}

// encodedClips are those of this run: both tests want the same.
var encodedClips = map[encodedClip][][]picture{}

// encodeClip returns a clip's groups without their key units.
func encodeClip(t *testing.T, clip, encoding int, from float64) [][]picture {
	t.Helper()
	id := encodedClip{clip, encoding, from}
	if encodedClips[id] == nil {
		encodedClips[id] = encode(t, clip, encoding, from)
	}
	return encodedClips[id]
}

func encode(t *testing.T, clip, encoding int, from float64) [][]picture {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: the clips cannot be encoded")
	}
	e := stirEncodings[encoding]
	out, length := filepath.Join(t.TempDir(), "stream"), "72"
	if stirAll() {
		out, length = filepath.Join(os.Getenv("STIR_ALL"), fmt.Sprintf("%d-%d-%v", clip, encoding, from)), "600"
		if stream, err := os.ReadFile(out); err == nil {
			return readGroups(t, stream, isH265(encoding))
		}
	}
	args := []string{
		"-v", "error", "-nostdin", "-i", clipFile(t, stirClips[clip].file), "-an", "-t", length,
		"-vf", fmt.Sprintf("trim=start=%v,setpts=PTS-STARTPTS,fps=%d,scale=704:576%s", from, stirFPS, e.filter), "-pix_fmt", "yuv420p",
	}
	args = append(append(args, e.args...), out+".part")
	if msg, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, msg)
	}
	if err := os.Rename(out+".part", out); err != nil {
		t.Fatal(err)
	}
	stream, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return readGroups(t, stream, isH265(encoding))
}

// readGroups returns a stream's whole groups. Each picture is one slice.
func readGroups(t *testing.T, stream []byte, h265 bool) [][]picture {
	t.Helper()
	var out [][]picture
	q := rtsp.NewQPReader(h265)
	err := eachSlice(stream, h265, q, func(nalu []byte) error {
		qp, ok := q.QP(nalu)
		if !ok {
			return fmt.Errorf("a slice header that cannot be read: % x", nalu[:min(len(nalu), 16)])
		}
		if key := !h265 && nalu[0]&0x1f == 5 || h265 && nalu[0]>>1 >= 16; key {
			out = append(out, nil)
			return nil
		}
		last := len(out) - 1
		out[last] = append(out[last], picture{len(nalu), qp})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range out[:len(out)-1] {
		if len(g) != stirGroup-1 {
			t.Fatalf("group %d has %d pictures beside its key unit, want %d", i, len(g), stirGroup-1)
		}
	}
	return out[:len(out)-1]
}

// shift moves spans to a clip that is encoded from a later moment.
func shift(spans []span, by float64) []span {
	out := make([]span, len(spans))
	for i, s := range spans {
		out[i] = span{s.begin + by, s.end + by}
	}
	return out
}

// touches tells whether a group shows a part of a span, of at least some
// seconds.
func touches(group int, spans []span, least float64) bool {
	from := float64(group) * groupTime
	return slices.ContainsFunc(spans, func(s span) bool {
		return min(s.end, from+groupTime)-max(s.begin, from) >= least
	})
}

// scored is a group's score, and whether something moved in it.
type scored struct {
	score float64
	moved bool
}

// scores plays a clip four times, and returns the scores of the last three.
func scores(groups [][]picture, moves []span, bytesAlone bool) []scored {
	var s streams.Stir
	now := time.Unix(0, 0)
	var out []scored
	for round := range 4 {
		for i, g := range groups {
			for _, p := range g {
				if bytesAlone {
					p.qp = -1
				}
				s.Add(now, p.size, p.qp)
			}
			if round > 0 {
				out = append(out, scored{s.Score(), touches(i, moves, 0.2)})
			}
			s.Key(now)
			now = now.Add(2 * time.Second)
		}
	}
	return out
}

// roc returns the curve as shares of quiet and of moved groups above each
// threshold, from the highest, and the area under it.
func roc(all []scored) (curve [][2]float64, area float64) {
	slices.SortFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	var moved, quiet float64
	for _, s := range all {
		if s.moved {
			moved++
		} else {
			quiet++
		}
	}
	if moved == 0 || quiet == 0 {
		return nil, math.NaN()
	}
	var x, y float64
	curve = append(curve, [2]float64{})
	for i, s := range all {
		if s.moved {
			y++
		} else {
			x++
		}
		if i+1 < len(all) && all[i+1].score == s.score {
			continue
		}
		last := curve[len(curve)-1]
		p := [2]float64{x / quiet, y / moved}
		area += (p[0] - last[0]) * (p[1] + last[1]) / 2
		curve = append(curve, p)
	}
	return curve, area
}

// hits is the share of moved groups found where at most a share of the quiet
// ones is.
func hits(curve [][2]float64, alarms float64) float64 {
	best := 0.0
	for _, p := range curve {
		if p[0] <= alarms {
			best = max(best, p[1])
		}
	}
	return best
}

// TestStirROC measures how well the score tells groups in which something moves
// from those in which nothing does.
func TestStirROC(t *testing.T) {
	if testing.Short() || slow > 1 {
		t.Skip("it encodes footage on one goroutine: for a run without -short and -race")
	}
	clips, encodings := 1, 2
	if stirAll() {
		clips, encodings = 3, len(stirEncodings)
	}
	var plot rocPlot
	t.Log("| clip | encoding | cost: AUC | found at 5 % false | bytes alone: AUC | found at 5 % false |")
	for e := range encodings {
		var pooled [2][]scored
		for c := range clips {
			if len(stirPhases(c, e)) == 0 {
				continue
			}
			var all [2][]scored
			for _, from := range stirPhases(c, e) {
				groups := encodeClip(t, c, e, from)
				for i := range all {
					all[i] = append(all[i], scores(groups, shift(stirClips[c].moves, -from), i == 1)...)
				}
			}
			var curves [2][][2]float64
			var areas [2]float64
			for i := range all {
				pooled[i] = append(pooled[i], all[i]...)
				curves[i], areas[i] = roc(all[i])
			}
			t.Logf("| %s | %s | %.2f | %.0f %% | %.2f | %.0f %% |", stirClips[c].name, stirEncodings[e].name,
				areas[0], 100*hits(curves[0], 0.05), areas[1], 100*hits(curves[1], 0.05))
			if c == 0 && !strings.Contains(stirEncodings[e].name, "noise") && areas[0] < 0.8 {
				t.Errorf("%s, %s: the area under the curve is %.2f, want at least 0.8", stirClips[c].name, stirEncodings[e].name, areas[0])
			}
		}
		for i, what := range []string{"cost", "bytes alone"} {
			curve, area := roc(pooled[i])
			plot.add(fmt.Sprintf("%s, %s: %.2f", stirEncodings[e].name, what, area), curve, e, i == 1)
			t.Logf("| all | %s | %s | %.2f | | |", stirEncodings[e].name, what, area)
		}
	}
	if *updateStir {
		if err := os.WriteFile("../../deploy/stir-roc.svg", plot.svg(), 0o644); err != nil { //nolint:gosec // a picture for everybody
			t.Fatal(err)
		}
	}
}

// A camera that fills its pictures up to a constant bitrate says nothing where
// the filler is counted, and is told from one that is quiet; without the
// filler it is like any other.
func TestStirFiller(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: the stream cannot be made")
	}
	args := []string{
		"-v", "error", "-nostdin", "-f", "lavfi", "-i", "smptebars=size=176x144:rate=15:duration=180",
		"-b:v", "600k", "-maxrate", "600k", "-bufsize", "600k",
	}
	args = append(args, h264Args()...)
	i := slices.Index(args, "-x264-params")
	args[i+1] += ":nal-hrd=cbr"
	stream, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, "-")...).Output()
	if err != nil {
		t.Skipf("this ffmpeg does not make it: %v", err)
	}
	var whole, slicesOnly streams.Stir
	now := time.Unix(0, 0)
	q := rtsp.NewQPReader(false)
	size, slice, qp, key := 0, 0, 0, true
	end := func() {
		switch {
		case slice == 0:
		case key:
			whole.Key(now)
			slicesOnly.Key(now)
		default:
			whole.Add(now, size, qp)
			slicesOnly.Add(now, slice, qp)
		}
		size, slice = 0, 0
	}
	var sps, pps [][]byte
	for nalu := range bytes.SplitSeq(stream, []byte{0, 0, 1}) {
		nalu = bytes.TrimRight(nalu, "\x00")
		if len(nalu) == 0 {
			continue
		}
		switch nalu[0] & 0x1f {
		case 7:
			sps = [][]byte{nalu}
		case 8:
			pps = [][]byte{nalu}
			q.SetParams(sps, pps)
		case 1, 5:
			end()
			slice, key = len(nalu), nalu[0]&0x1f == 5
			qp, _ = q.QP(nalu)
		}
		size += len(nalu)
	}
	if reason, off := whole.Off(); !off || reason != streams.StirPadded {
		t.Errorf("with its filler it is off %v, %q; want %q", off, reason, streams.StirPadded)
	}
	if reason, off := slicesOnly.Off(); off {
		t.Errorf("without its filler it is off: %q", reason)
	}
}

// reel is a long stream with what happens in it.
type reel struct {
	groups [][]picture
	seen   []span
}

func (r *reel) seconds() float64 { return float64(len(r.groups)) * groupTime }

// looped is a clip again and again.
func looped(groups [][]picture, seen []span, seconds float64) (r reel) {
	for r.seconds() < seconds {
		r.seen = append(r.seen, shift(seen, r.seconds())...)
		r.groups = append(r.groups, groups...)
	}
	return r
}

// stirPause is how long a reel is quiet between two happenings on average, in
// seconds, and at least.
const stirPause, stirPauseLeast = 120, 20

// pause appends quiet groups, chosen by the caller.
func (r *reel) pause(random *rand.Rand, quiet func() []picture) {
	for range int((stirPauseLeast + random.ExpFloat64()*(stirPause-stirPauseLeast)) / groupTime) {
		r.groups = append(r.groups, quiet())
	}
}

// spread plays a clip's happenings with quiet time between them, that is made
// of the clip's own quiet groups in any order.
func spread(groups [][]picture, seen []span, seconds float64, random *rand.Rand) (r reel) {
	busy := func(i int) bool {
		return touches(i, shift(seen, -0.3), 0.01) || touches(i, shift(seen, 0.8), 0.01) || touches(i, seen, 0.01)
	}
	var quiet []int
	var happenings [][2]int
	for i := 1; i < len(groups); i++ { // the first shows the encoder starting up
		switch {
		case !busy(i):
			quiet = append(quiet, i)
		case i > 1 && busy(i-1) && len(happenings) > 0:
			happenings[len(happenings)-1][1] = i + 1
		default:
			happenings = append(happenings, [2]int{i, i + 1})
		}
	}
	for n := 0; r.seconds() < seconds; n++ {
		r.pause(random, func() []picture { return groups[quiet[random.IntN(len(quiet))]] })
		h := happenings[n%len(happenings)]
		from := float64(h[0]) * groupTime
		for _, s := range seen {
			if s.begin >= from && s.begin < float64(h[1])*groupTime {
				r.seen = append(r.seen, span{s.begin - from + r.seconds(), s.end - from + r.seconds()})
			}
		}
		r.groups = append(r.groups, groups[h[0]:h[1]]...)
	}
	return r
}

// acted plays a simulated camera: quiet, something arrives, stays, leaves.
// It is seen from when the ledger says that it began.
func acted(t *testing.T, library *play.Library, index int, seconds float64, random *rand.Rand) (r reel) {
	t.Helper()
	const citySeed = 2
	kind, seed := city.SceneKind(index), city.SceneSeed(citySeed, index)
	takes, err := library.Scene(t.Context(), kind, seed, scene.Quiet, scene.Arrive, scene.Stay, scene.Leave)
	if err != nil {
		t.Fatal(err)
	}
	film := map[scene.Take][][]picture{}
	for _, take := range []scene.Take{scene.Quiet, scene.Arrive, scene.Stay, scene.Leave} {
		var stream []byte
		for _, g := range takes[take] {
			for _, u := range append([][]byte{g.SPS, g.PPS}, g.Units...) {
				stream = append(append(stream, 0, 0, 1), u...)
			}
		}
		// A key unit of nothing ends the last group.
		last := takes[take][0]
		stream = append(append(stream, 0, 0, 1), last.Units[0]...)
		film[take] = readGroups(t, stream, false)
	}
	quiet := film[scene.Quiet][1:] // the first shows the encoder starting up
	s := scene.New(kind, seed)
	next := 0
	for r.seconds() < seconds {
		r.pause(random, func() []picture { next++; return quiet[next%len(quiet)] })
		begin := r.seconds() + float64(s.Begin())/scene.FrameRate
		r.groups = append(r.groups, film[scene.Arrive]...)
		for i := range 4 + random.IntN(8) {
			r.groups = append(r.groups, film[scene.Stay][i%len(film[scene.Stay])])
		}
		end := r.seconds() + float64(s.End())/scene.FrameRate
		r.groups = append(r.groups, film[scene.Leave]...)
		r.seen = append(r.seen, span{begin, end})
	}
	return r
}

// gain is what the signal brings, over happenings.
type gain struct {
	without, with []float64 // seconds from a beginning to the first look, infinite if there is none
	due, early    int
}

func (g *gain) add(o gain) {
	g.without, g.with = append(g.without, o.without...), append(g.with, o.with...)
	g.due, g.early = g.due+o.due, g.early+o.early
}

func (g *gain) extra() float64 { return float64(g.early) / float64(max(g.due, 1)) }

func quantile(x []float64, q float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	return slices.Sorted(slices.Values(x))[int(q*float64(len(x)-1))]
}

func missed(x []float64) (n int) {
	for _, v := range x {
		if math.IsInf(v, 1) {
			n++
		}
	}
	return n
}

func (g *gain) String() string {
	if len(g.with) == 0 {
		return fmt.Sprintf("– | – | – | – | – | %.1f %%", 100*g.extra())
	}
	share := func(x []float64) float64 { return 100 * float64(missed(x)) / float64(len(x)) }
	s := fmt.Sprintf("%d | %.1f → %.1f | %.1f → %.1f | %.0f → %.0f %% | %.1f %%", len(g.with),
		quantile(g.without, .5), quantile(g.with, .5), quantile(g.without, .9), quantile(g.with, .9), share(g.without), share(g.with), 100*g.extra())
	return strings.ReplaceAll(s, "+Inf", "∞")
}

// patrolled samples a reel at an interval, from a random moment, with the signal and
// without. What happens in its first two minutes does not count.
func patrolled(t *testing.T, r reel, interval float64, random *rand.Rand) (g gain) {
	t.Helper()
	var s streams.Stir
	var dues, looks []float64
	next := random.Float64() * interval
	for i, group := range r.groups {
		at := float64(i) * groupTime
		now := time.Unix(0, int64(at*1e9))
		due := at >= next
		early := !due && s.Stirred()
		s.Key(now)
		switch {
		case due:
			for next <= at {
				next += interval
			}
			dues = append(dues, at)
			s.Seen(false)
		case early:
			g.early++
			s.Seen(true)
		}
		if due || early {
			looks = append(looks, at)
		}
		for _, p := range group {
			s.Add(now, p.size, p.qp)
		}
	}
	g.due = len(dues)
	for _, h := range r.seen {
		if h.begin < 120 || h.begin > r.seconds()-2*interval {
			continue
		}
		without, with := first(dues, h), first(looks, h)
		if with > without {
			t.Errorf("at %.1f s: looked at after %.1f s, without the signal after %.1f s", h.begin, with, without)
		}
		g.without, g.with = append(g.without, without), append(g.with, with)
	}
	if bound := g.due/4 + 8; g.early > bound {
		t.Errorf("%d early looks beside %d due ones, want at most %d", g.early, g.due, bound)
	}
	return g
}

// first is how long after the beginning of a happening the first look comes
// that shows it.
func first(looks []float64, h span) float64 {
	i, _ := slices.BinarySearch(looks, h.begin)
	if i == len(looks) || looks[i] > h.end {
		return math.Inf(1)
	}
	return looks[i] - h.begin
}

// TestStirGain patrols, and measures how much sooner things are looked at, and
// at what price.
func TestStirGain(t *testing.T) {
	if testing.Short() || slow > 1 {
		t.Skip("it encodes footage on one goroutine: for a run without -short and -race")
	}
	clips, encodings, rounds, intervals := 1, 2, 4, []float64{10}
	if stirAll() {
		clips, encodings, rounds, intervals = len(stirClips), len(stirEncodings), 10, []float64{10, 5, 30}
	}
	totals := make([]gain, len(intervals))
	patrol := func(name string, counts bool, phases []float64, play func(random *rand.Rand, from float64) reel) {
		for i, interval := range intervals {
			var g gain
			for _, from := range phases {
				for n := range rounds {
					random := rand.New(rand.NewPCG(uint64(n), 7))
					g.add(patrolled(t, play(random, from), interval, random))
				}
			}
			if counts {
				totals[i].add(g)
			}
			t.Logf("| %s | %.0f s | %s |", name, interval, &g)
		}
	}
	t.Log("| what | interval | happenings | median, s | p90, s | missed | extra looks |")
	for c := range clips {
		for e := range encodings {
			encoded := map[float64][][]picture{}
			phases := stirPhases(c, e)
			if len(phases) == 0 {
				continue
			}
			for _, from := range phases {
				encoded[from] = encodeClip(t, c, e, from)
			}
			name := stirClips[c].name + "; " + stirEncodings[e].name
			if stirClips[c].seen != nil {
				patrol(name, true, phases, func(random *rand.Rand, from float64) reel {
					return spread(encoded[from], shift(stirClips[c].seen, -from), 3600, random)
				})
			}
			if stirAll() {
				patrol("as recorded: "+name, false, phases, func(_ *rand.Rand, from float64) reel {
					return looped(encoded[from], shift(stirClips[c].seen, -from), 1800)
				})
			}
		}
	}
	if stirAll() {
		library := sceneLibrary(t)
		for i := range 4 {
			patrol(fmt.Sprintf("simulated %s %d", city.SceneKind(i), i), true, []float64{0}, func(random *rand.Rand, _ float64) reel {
				return acted(t, library, i, 3600, random)
			})
		}
	}
	for i, g := range totals {
		t.Logf("| all | %.0f s | %s |", intervals[i], &g)
	}
	g := totals[0]
	share := 0.5
	if !stirAll() {
		share = 0.6 // three beginnings at one moment of the group: a coarse figure
	}
	if before, after := quantile(g.without, .5), quantile(g.with, .5); after > before*share {
		t.Errorf("median time to the first look %.1f s, without the signal %.1f s: want %.1f of it", after, before, share)
	}
	if g.extra() > 0.25 {
		t.Errorf("%.1f %% more looks, want at most 25 %%", 100*g.extra())
	}
}

// sceneLibrary is where citysim itself keeps its scenes.
func sceneLibrary(t *testing.T) *play.Library {
	t.Helper()
	dir := t.TempDir()
	if cache, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(cache, "citysim")
	}
	library, err := play.NewLibrary(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	return library
}
