//go:build cgo

package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/detect/opencv"
	"videopatrol/detect/worker"
	"videopatrol/inventory"
	"videopatrol/streams"
)

var _ = func() bool {
	serveReal = func(o worker.ServeOptions) error {
		decoder, err := codec.New(codec.Options{MaxDecoders: 3})
		if err != nil {
			return err
		}
		im := opencv.New()
		o.Decoder = decoder
		o.NewWatcher = func(c detect.Config) (worker.Watcher, error) {
			return detect.NewWatch(detect.WatchOptions{Config: c, Imaging: im})
		}
		return worker.Serve(context.Background(), o)
	}
	return true
}()

// keyUnits returns some key units of noise around a luma.
func keyUnits(tb testing.TB, c streams.Codec, size string, luma int) (all []streams.Unit) {
	tb.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		tb.Skip("ffmpeg is not installed: no bytes to decode")
	}
	format := map[streams.Codec][]string{
		streams.CodecH264: {"-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-g", "1", "-slices", "4", "-f", "h264"},
		streams.CodecH265: {"-pix_fmt", "yuv420p", "-c:v", "libx265", "-preset", "veryfast", "-x265-params", "log-level=none:keyint=1:slices=4", "-f", "hevc"},
		streams.CodecJPEG: {"-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-f", "mjpeg"},
	}[c]
	from := fmt.Sprintf("color=c=black:s=%s:r=5,format=yuv420p,geq=lum='%d+random(1)*30-15':cb=%d:cr=%d", size, luma, luma, 255-luma)
	args := append([]string{"-v", "error", "-f", "lavfi", "-i", from, "-frames:v", "4"}, format...)
	out, err := exec.CommandContext(tb.Context(), "ffmpeg", append(args, "-")...).Output()
	if err != nil {
		tb.Skipf("ffmpeg cannot encode %s: %v", c, err)
	}
	if c == streams.CodecJPEG {
		for len(out) > 0 {
			end := bytes.Index(out, []byte{0xFF, 0xD9}) + 2
			all, out = append(all, streams.Unit{Codec: c, NALUs: [][]byte{out[:end]}}), out[end:]
		}
		return all
	}
	var nalus h264.AnnexB
	if err := nalus.Unmarshal(out); err != nil {
		tb.Fatal(err)
	}
	var params [][]byte
	for _, n := range nalus {
		kind, head := int(n[0]&0x1F), 1
		param, slice := kind == 7 || kind == 8, kind == 5
		if c == streams.CodecH265 {
			kind, head = int(n[0]>>1&0x3F), 2
			param, slice = kind >= 32 && kind <= 34, kind >= 16 && kind <= 21
		}
		switch {
		case param && len(all) == 0:
			params = append(params, n)
		case slice && n[head]&0x80 != 0:
			all = append(all, streams.Unit{Codec: c, Params: params, NALUs: [][]byte{n}})
		case slice:
			u := &all[len(all)-1]
			u.NALUs = append(u.NALUs, n)
		}
	}
	return all
}

// Whatever the other cameras of a worker send, each picture that comes out of
// it is, to the byte, what a decoder and a watch make of that one sample that
// have never seen another.
func TestNoPixelOfAnotherCamera(t *testing.T) {
	cameras := []struct {
		id    string
		units []streams.Unit
		masks []inventory.Polygon
	}{
		{"a", keyUnits(t, streams.CodecH264, "176x144", 60), nil},
		{"b", keyUnits(t, streams.CodecH264, "176x144", 190), []inventory.Polygon{{{X: 0.1, Y: 0.1}, {X: 0.53, Y: 0.1}, {X: 0.53, Y: 0.61}}}},
		{"c", keyUnits(t, streams.CodecH265, "176x144", 100), nil},
		{"d", keyUnits(t, streams.CodecH265, "176x144", 220), nil},
		{"e", keyUnits(t, streams.CodecJPEG, "176x144", 80), nil},
		{"f", keyUnits(t, streams.CodecJPEG, "128x96", 150), []inventory.Polygon{{{X: 0.3, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 0.4}}}},
		{"g", keyUnits(t, streams.CodecH264, "128x96", 130), nil},
	}
	r := newRig(t, "real", func(o *worker.Options) { o.Timeout, o.StillMemory = patience, 1<<20 })
	im := opencv.New()
	t.Cleanup(func() { _ = im.Close() })
	var configs []detect.Config
	for _, c := range cameras {
		configs = append(configs, detect.Config{Camera: c.id, TimeZone: "UTC", Masks: c.masks})
	}
	r.Reconcile(configs)
	alone := func(i int, u streams.Unit) ([]byte, error) {
		d, err := codec.New(codec.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		p, err := d.Decode(u)
		if err != nil {
			return nil, err
		}
		w, err := detect.NewWatch(detect.WatchOptions{Config: configs[i], Imaging: im})
		if err != nil {
			t.Fatal(err)
		}
		return w.Still(p)
	}
	random := rand.New(rand.NewPCG(2, 2))
	now := time.Now().Round(0).UTC()
	shown, refused := 0, 0
	for step := range 150 {
		i := random.IntN(len(cameras))
		c := cameras[i]
		u := c.units[random.IntN(len(c.units))]
		u.NALUs = append([][]byte{}, u.NALUs...)
		switch k := random.IntN(len(u.NALUs)); random.IntN(6) {
		case 0:
			u.NALUs[k] = u.NALUs[k][:random.IntN(len(u.NALUs[k]))]
		case 1:
			u.NALUs = append(u.NALUs[:k], u.NALUs[k+1:]...)
		case 2:
			n := bytes.Clone(u.NALUs[k])
			n[random.IntN(len(n))] ^= 1 << random.IntN(8)
			u.NALUs[k] = n
		case 3: // another size, or another camera's tables
			if o := cameras[random.IntN(len(cameras))].units[0]; o.Codec == u.Codec {
				u.Params = o.Params
			}
		}
		if len(u.NALUs) == 0 {
			continue
		}
		now = now.Add(5 * time.Second)
		u.Received = now
		want, wantErr := alone(i, u)
		r.Offer(streams.Sample{Camera: c.id, Seq: uint64(step), Unit: u})
		v := await(t, r.verdicts)
		if got := v.Reason == streams.ReasonCorrupt; got != (wantErr != nil) {
			t.Fatalf("step %d, camera %s: %+v, alone %v", step, c.id, v, wantErr)
		}
		res := await(t, r.results)
		if wantErr != nil {
			refused++
			continue
		}
		got := res.Still
		if got == nil {
			var err error
			if got, _, err = r.Still(t.Context(), c.id); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("step %d, camera %s: another picture than of this sample alone", step, c.id)
		}
		shown++
	}
	t.Logf("%d pictures shown, %d samples refused", shown, refused)
	if shown < 50 || refused < 15 {
		t.Error("too few of a kind to tell")
	}
}
