package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"go.uber.org/goleak"

	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// encode returns the first key unit of a flat grey clip of luma l and of the
// given size, by the ffmpeg program.
func encode(tb testing.TB, c streams.Codec, size string, luma int, args ...string) streams.Unit {
	tb.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		tb.Skip("ffmpeg is not installed: no bytes to decode")
	}
	format := map[streams.Codec][]string{
		streams.CodecH264: {"-c:v", "libx264", "-preset", "veryfast", "-f", "h264"},
		streams.CodecH265: {"-c:v", "libx265", "-x265-params", "log-level=none:slices=4", "-f", "hevc"},
		streams.CodecJPEG: {"-c:v", "mjpeg", "-f", "mjpeg"},
	}[c]
	// Noise makes the unit long enough to be cut; luma stays within ±20.
	source := fmt.Sprintf("color=c=black:s=%s:r=5,format=yuv420p,geq=lum='%d+random(1)*30-15':cb=128:cr=128", size, luma)
	all := append([]string{"-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "6", "-pix_fmt", "yuv420p"}, args...)
	out, err := exec.CommandContext(tb.Context(), "ffmpeg", append(append(all, format...), "-")...).Output()
	if err != nil {
		tb.Skipf("ffmpeg cannot encode %s: %v", c, err)
	}
	if c == streams.CodecJPEG {
		end := bytes.Index(out, []byte{0xFF, 0xD9}) + 2
		return streams.Unit{Codec: c, NALUs: [][]byte{out[:end]}}
	}
	return firstUnit(tb, c, out)
}

// firstUnit cuts the first key unit out of an Annex B stream.
func firstUnit(tb testing.TB, c streams.Codec, stream []byte) streams.Unit {
	tb.Helper()
	var nalus h264.AnnexB
	if err := nalus.Unmarshal(stream); err != nil {
		tb.Fatal(err)
	}
	u := streams.Unit{Codec: c}
	for _, n := range nalus {
		kind := int(n[0] & 0x1F)
		params, key := kind == 7 || kind == 8, kind == 5
		if c == streams.CodecH265 {
			kind = int(n[0] >> 1 & 0x3F)
			params, key = kind >= 32 && kind <= 34, kind >= 16 && kind <= 21
		}
		switch {
		case params && len(u.NALUs) == 0:
			u.Params = append(u.Params, n)
		case key:
			u.NALUs = append(u.NALUs, n)
		case len(u.NALUs) > 0:
			return u
		}
	}
	return u
}

func newDecoders(tb testing.TB, o codec.Options) *codec.Decoders {
	tb.Helper()
	d, err := codec.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(d.Close)
	return d
}

// within tells whether all luma lies within 45 of l.
func within(p detect.Picture, l int) bool {
	for y := range p.Y.Height {
		for _, v := range p.Y.Row(y) {
			if int(v) < l-45 || int(v) > l+45 {
				return false
			}
		}
	}
	return true
}

func TestDecode(t *testing.T) {
	for _, c := range []streams.Codec{streams.CodecH264, streams.CodecH265, streams.CodecJPEG} {
		t.Run(string(c), func(t *testing.T) {
			u := encode(t, c, "352x288", 90)
			p, err := newDecoders(t, codec.Options{}).Decode(u)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Check(); err != nil || p.Y.Width != 352 || p.Y.Height != 288 || !within(p, 90) {
				t.Fatalf("%d × %d, in range %v, %v", p.Y.Width, p.Y.Height, within(p, 90), err)
			}
			if p.FullRange != (c == streams.CodecJPEG) {
				t.Errorf("full range %v", p.FullRange)
			}
		})
	}
}

// A glance is the picture without the filters, and clears up to the bit.
func TestGlance(t *testing.T) {
	for _, c := range []streams.Codec{streams.CodecH264, streams.CodecH265, streams.CodecJPEG} {
		t.Run(string(c), func(t *testing.T) {
			u := encode(t, c, "352x288", 90)
			d := newDecoders(t, codec.Options{})
			p, err := d.Decode(u)
			if err != nil {
				t.Fatal(err)
			}
			want := luma(p)
			if p, err = d.Glance(u); err != nil || !within(p, 90) {
				t.Fatalf("%v", err)
			}
			seen := luma(p)
			if c == streams.CodecJPEG {
				if p.Clear != nil || !bytes.Equal(seen, want) {
					t.Error("a JPEG has no such filters")
				}
				return
			}
			if bytes.Equal(seen, want) {
				t.Error("it was filtered")
			}
			eye, err := p.Clear()
			if err != nil || !bytes.Equal(luma(eye), want) {
				t.Errorf("it does not clear up: %v", err)
			}
			if !bytes.Equal(luma(p), seen) {
				t.Error("the glance is gone when it clears up")
			}
		})
	}
}

// eachWay runs a test for both ways to decode.
func eachWay(t *testing.T, test func(t *testing.T, decode func(d *codec.Decoders, u streams.Unit) (detect.Picture, error))) {
	t.Helper()
	t.Run("decode", func(t *testing.T) { test(t, (*codec.Decoders).Decode) })
	t.Run("glance", func(t *testing.T) { test(t, (*codec.Decoders).Glance) })
}

func TestBFramesHoldNothingBack(t *testing.T) {
	u := encode(t, streams.CodecH264, "352x288", 90, "-bf", "3", "-refs", "4")
	d := newDecoders(t, codec.Options{})
	for range 5 {
		if p, err := d.Decode(u); err != nil || !within(p, 90) {
			t.Fatalf("%v", err)
		}
	}
}

// No pixel of a neighbour ever shows: two cameras of one size take turns, one
// of them with every kind of damage, and each picture is refused or its own.
func TestNoPixelOfAnotherCamera(t *testing.T) {
	for _, c := range []streams.Codec{streams.CodecH264, streams.CodecH265, streams.CodecJPEG} {
		t.Run(string(c), func(t *testing.T) {
			args := []string{"-slices", "4"}
			if c != streams.CodecH264 {
				args = nil
			}
			dark, bright := encode(t, c, "352x288", 60, args...), encode(t, c, "352x288", 200, args...)
			if c == streams.CodecH264 && !bytes.Equal(dark.Params[0], bright.Params[0]) {
				t.Fatal("the two cameras do not share a decoder")
			}
			eachWay(t, func(t *testing.T, decode func(*codec.Decoders, streams.Unit) (detect.Picture, error)) {
				t.Helper()
				d := newDecoders(t, codec.Options{})
				refused, shown := 0, 0
				for i, damaged := range damage(dark) {
					p, err := decode(d, bright)
					if err != nil || !within(p, 200) {
						t.Fatalf("after damage %d the sound camera: %v", i, err)
					}
					neighbour := luma(p)
					switch p, err := decode(d, damaged); {
					case err != nil:
						refused++
					case foreign(p, neighbour):
						t.Fatalf("damage %d shows the neighbour's pixels", i)
					default:
						shown++
					}
				}
				t.Logf("%d refused, %d shown", refused, shown)
				if refused == 0 {
					t.Fatal("no damage was refused")
				}
			})
		})
	}
}

// foreign tells whether an 8 × 8 block of p is the neighbour's, to the bit;
// the noise in both makes every block unlike all others.
func foreign(p detect.Picture, neighbour []byte) bool {
	w := p.Y.Width
	for y := 0; y+8 <= p.Y.Height; y += 8 {
		for x := 0; x+8 <= w; x += 8 {
			same := true
			for i := 0; i < 8 && same; i++ {
				at := (y+i)*w + x
				same = bytes.Equal(p.Y.Row(y + i)[x:x+8], neighbour[at:at+8])
			}
			if same {
				return true
			}
		}
	}
	return false
}

// luma copies a picture's luma without gaps.
func luma(p detect.Picture) []byte {
	var out []byte
	for y := range p.Y.Height {
		out = append(out, p.Y.Row(y)...)
	}
	return out
}

// damage cuts, drops and flips a unit in many ways.
func damage(u streams.Unit) []streams.Unit {
	var out []streams.Unit
	with := func(nalus [][]byte) {
		if len(nalus) > 0 {
			out = append(out, streams.Unit{Codec: u.Codec, Params: u.Params, NALUs: nalus})
		}
	}
	for i, n := range u.NALUs {
		without := append(append([][]byte{}, u.NALUs[:i]...), u.NALUs[i+1:]...)
		with(without)
		for _, share := range []int{1, 4, 7} {
			cut := append([][]byte{}, u.NALUs...)
			cut[i] = n[:len(n)*share/8]
			with(cut)
		}
		for at := len(n) / 5; at < len(n); at += len(n)/5 + 1 {
			flip := append([][]byte{}, u.NALUs...)
			flip[i] = bytes.Clone(n)
			flip[i][at] ^= 0x5A
			with(flip)
		}
	}
	return out
}

func TestMissingSliceIsRefused(t *testing.T) {
	for _, c := range []streams.Codec{streams.CodecH264, streams.CodecH265} {
		t.Run(string(c), func(t *testing.T) {
			args := []string{"-slices", "4"}
			if c == streams.CodecH265 {
				args = nil
			}
			u := encode(t, c, "352x288", 90, args...)
			if len(u.NALUs) < 4 {
				t.Fatalf("%d slices", len(u.NALUs))
			}
			eachWay(t, func(t *testing.T, decode func(*codec.Decoders, streams.Unit) (detect.Picture, error)) {
				t.Helper()
				d := newDecoders(t, codec.Options{})
				for i := range u.NALUs {
					cut := u
					cut.NALUs = append(append([][]byte{}, u.NALUs[:i]...), u.NALUs[i+1:]...)
					if _, err := decode(d, cut); !errors.Is(err, codec.ErrDamaged) {
						t.Errorf("without slice %d: %v", i, err)
					}
				}
				if _, err := decode(d, u); err != nil {
					t.Fatalf("the whole unit afterwards: %v", err)
				}
			})
		})
	}
}

func TestLimits(t *testing.T) {
	u := encode(t, streams.CodecH264, "704x576", 90)
	d := newDecoders(t, codec.Options{MaxSide: 640, MaxUnit: 1 << 20, MaxDecoders: 2})
	if _, err := d.Decode(u); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("704 × 576 with at most 640 a side: %v", err)
	}
	hidden := u // the same parameter sets, in band among the slices
	hidden.NALUs, hidden.Params = append(append([][]byte{}, u.Params...), u.NALUs...), nil
	if _, err := d.Decode(hidden); err == nil {
		t.Error("parameter sets among the slices passed the limit")
	}
	u.NALUs = [][]byte{make([]byte, 1<<20)}
	if _, err := d.Decode(u); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("a unit of 1 MiB and a byte: %v", err)
	}
	if _, err := d.Decode(streams.Unit{Codec: streams.CodecH264}); !errors.Is(err, codec.ErrEmpty) {
		t.Errorf("an empty unit: %v", err)
	}
	if _, err := d.Decode(streams.Unit{Codec: "vp9", NALUs: [][]byte{{1}}}); !errors.Is(err, codec.ErrCodec) {
		t.Errorf("another codec: %v", err)
	}
	for _, size := range []string{"320x240", "352x288", "160x120", "320x240"} {
		if _, err := d.Decode(encode(t, streams.CodecH264, size, 90)); err != nil {
			t.Errorf("%s with two decoders: %v", size, err)
		}
	}
}

func TestPixelFormats(t *testing.T) {
	d := newDecoders(t, codec.Options{})
	for _, f := range []string{"yuvj422p", "yuvj444p", "gray"} {
		u := encode(t, streams.CodecJPEG, "98x66", 90, "-pix_fmt", f)
		p, err := d.Decode(u)
		if err == nil {
			err = p.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		f.Skip("ffmpeg is not installed: no bytes to start from")
	}
	for _, c := range []streams.Codec{streams.CodecH264, streams.CodecH265, streams.CodecJPEG} {
		u := encode(f, c, "64x64", 90)
		f.Add(string(c), bytes.Join(u.Params, []byte{0, 0, 0, 1}), u.NALUs[0])
	}
	f.Fuzz(func(t *testing.T, c string, params, slice []byte) {
		d := newDecoders(t, codec.Options{MaxSide: 512})
		u := streams.Unit{Codec: streams.Codec(c), NALUs: [][]byte{slice}}
		if len(params) > 0 {
			u.Params = bytes.Split(params, []byte{0, 0, 0, 1})
		}
		p, err := d.Glance(u)
		if err != nil {
			return
		}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		if p.Clear == nil {
			return
		}
		if p, err = p.Clear(); err != nil {
			return
		}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []string{"704x576", "1920x1080"} {
		b.Run(size, func(b *testing.B) {
			u := encode(b, streams.CodecH264, size, 90, "-b:v", "400k")
			d := newDecoders(b, codec.Options{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Glance(u); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
