package codec_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/streams"
)

// A source is a camera's access units: key units, and what a hostile or broken
// camera would send as such.
type source struct {
	name  string
	units []streams.Unit
}

// sources encodes noise of one level for each camera, some of them with the
// same parameter sets.
func sources(tb testing.TB) []source {
	tb.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		tb.Skip("ffmpeg is not installed: no bytes to decode")
	}
	h264Args := []string{"-c:v", "libx264", "-preset", "veryfast", "-slices", "4", "-g", "4", "-f", "h264"}
	bFrames := []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-refs", "4", "-g", "8", "-f", "h264"}
	h265Args := []string{"-c:v", "libx265", "-preset", "veryfast", "-x265-params", "log-level=none:slices=4:keyint=4:bframes=2", "-f", "hevc"}
	jpegArgs := []string{"-c:v", "mjpeg", "-f", "mjpeg"}
	var all []source
	for i, c := range []struct {
		codec  streams.Codec
		size   string
		args   []string
		format string
	}{
		{streams.CodecH264, "176x144", h264Args, "yuv420p"},
		{streams.CodecH264, "176x144", h264Args, "yuv420p"},
		{streams.CodecH264, "128x96", h264Args, "yuv420p"},
		{streams.CodecH264, "176x144", bFrames, "yuv420p"},
		{streams.CodecH264, "176x144", bFrames, "yuv420p"},
		{streams.CodecH265, "176x144", h265Args, "yuv420p"},
		{streams.CodecH265, "176x144", h265Args, "yuv420p"},
		{streams.CodecJPEG, "176x144", jpegArgs, "yuvj420p"},
		{streams.CodecJPEG, "176x144", jpegArgs, "yuvj420p"},
		{streams.CodecJPEG, "128x96", jpegArgs, "yuvj444p"},
	} {
		luma := 50 + 17*i
		from := fmt.Sprintf("color=c=black:s=%s:r=5,format=yuv420p,geq=lum='%d+random(1)*30-15':cb=%d:cr=%d", c.size, luma, 100+6*i, 160-6*i)
		args := append([]string{"-v", "error", "-f", "lavfi", "-i", from, "-frames:v", "9", "-pix_fmt", c.format}, c.args...)
		out, err := exec.CommandContext(tb.Context(), "ffmpeg", append(args, "-")...).Output()
		if err != nil {
			tb.Skipf("ffmpeg cannot encode %s: %v", c.codec, err)
		}
		s := source{name: fmt.Sprintf("camera %d, %s of %s", i, c.codec, c.size), units: cut(tb, c.codec, out)}
		if len(s.units) < 9 {
			tb.Fatalf("%s: %d units", s.name, len(s.units))
		}
		all = append(all, s)
	}
	return all
}

// cut cuts a stream into access units.
func cut(tb testing.TB, c streams.Codec, stream []byte) (all []streams.Unit) {
	tb.Helper()
	if c == streams.CodecJPEG {
		for len(stream) > 0 {
			end := bytes.Index(stream, []byte{0xFF, 0xD9}) + 2
			all, stream = append(all, streams.Unit{Codec: c, NALUs: [][]byte{stream[:end]}}), stream[end:]
		}
		return all
	}
	var nalus h264.AnnexB
	if err := nalus.Unmarshal(stream); err != nil {
		tb.Fatal(err)
	}
	var params [][]byte
	for _, n := range nalus {
		kind, head := int(n[0]&0x1F), 1
		param, slice := kind == 7 || kind == 8, kind == 1 || kind == 5
		if c == streams.CodecH265 {
			kind, head = int(n[0]>>1&0x3F), 2
			param, slice = kind >= 32 && kind <= 34, kind < 32
		}
		switch {
		case param && len(params) < 4 && len(all) == 0:
			params = append(params, n)
		case slice && n[head]&0x80 != 0: // the first slice of a picture
			all = append(all, streams.Unit{Codec: c, Params: params, NALUs: [][]byte{n}})
		case slice:
			u := &all[len(all)-1]
			u.NALUs = append(u.NALUs, n)
		}
	}
	return all
}

// mangle does to a unit what networks, cameras and attackers do. Nothing of
// another camera's pictures comes into it, only parameter sets and names.
func mangle(r *rand.Rand, u streams.Unit, others []source) streams.Unit {
	u.NALUs = slices.Clone(u.NALUs)
	i := r.IntN(len(u.NALUs))
	n := u.NALUs[i]
	if len(n) == 0 {
		return u
	}
	other := others[r.IntN(len(others))].units[0]
	switch r.IntN(12) {
	case 0: // cut short
		u.NALUs[i] = n[:r.IntN(len(n))]
	case 1: // lost slices
		u.NALUs = slices.Delete(u.NALUs, i, i+1)
	case 2: // a slice twice
		u.NALUs = append(u.NALUs, n)
	case 3: // flipped bits
		n = bytes.Clone(n)
		for range 1 + r.IntN(4) {
			n[r.IntN(len(n))] ^= byte(1 << r.IntN(8))
		}
		u.NALUs[i] = n
	case 4: // a hole
		n = bytes.Clone(n)
		at := r.IntN(len(n))
		clear(n[at:min(len(n), at+1+r.IntN(200))])
		u.NALUs[i] = n
	case 5: // another camera's parameter sets, of another size perhaps
		if other.Codec == u.Codec {
			u.Params = other.Params
		}
	case 6: // both in band, the wrong ones last
		if other.Codec == u.Codec {
			u.NALUs = slices.Concat(u.Params, other.Params, u.NALUs)
			u.Params = nil
		}
	case 7: // none
		u.Params = nil
	case 8: // slices in another order
		r.Shuffle(len(u.NALUs), func(a, b int) { u.NALUs[a], u.NALUs[b] = u.NALUs[b], u.NALUs[a] })
	case 9: // damaged parameter sets
		if len(u.Params) > 0 {
			u.Params = slices.Clone(u.Params)
			k := r.IntN(len(u.Params))
			p := bytes.Clone(u.Params[k])
			p[r.IntN(len(p))] ^= byte(1 << r.IntN(8))
			u.Params[k] = p
		}
	case 10: // another codec's name
		u.Codec = other.Codec
	case 11: // something empty
		u.NALUs = append(u.NALUs, []byte{})
	}
	return u
}

// planes copies what a picture shows.
func planes(p detect.Picture) (all []byte) {
	for _, pl := range []detect.Plane{p.Y, p.Cb, p.Cr} {
		all = fmt.Appendf(all, "%d × %d %v ", pl.Width, pl.Height, p.FullRange)
		for y := range pl.Height {
			all = append(all, pl.Row(y)...)
		}
	}
	return all
}

// pieces are what cameras have shown, eight pixels in a row at a time; the
// noise in them makes each unlike all others.
type pieces map[string]map[uint64]bool

func (k pieces) each(p detect.Picture, do func(piece uint64)) {
	for y := range p.Y.Height {
		row := p.Y.Row(y)
		for x := 0; x+8 <= len(row); x++ {
			if v := binary.LittleEndian.Uint64(row[x:]); v != uint64(row[x])*0x0101010101010101 {
				do(v)
			}
		}
	}
}

func (k pieces) keep(p detect.Picture, camera string) {
	if k[camera] == nil {
		k[camera] = map[uint64]bool{}
		k.each(p, func(v uint64) { k[camera][v] = true })
	}
}

// foreign counts the pieces that other cameras have shown.
func (k pieces) foreign(p detect.Picture, camera string) (n int) {
	k.each(p, func(v uint64) {
		for other, set := range k {
			if other != camera && set[v] {
				n++
			}
		}
	})
	return n
}

// Whatever the cameras before have sent, a decoder that they share makes of a
// unit what a new one would: the same picture to the bit, or none. So nothing
// of another camera can show.
func TestDecodersRememberNothing(t *testing.T) {
	all := sources(t)
	r := rand.New(rand.NewPCG(1, 1))
	shared := newDecoders(t, codec.Options{MaxDecoders: 4})
	shown, refused, damagedShown, unlike := 0, 0, 0, 0
	kept := pieces{}
	for i := range 1200 {
		s := all[r.IntN(len(all))]
		u := s.units[0]
		sound, key := r.IntN(3) == 0, true
		if !sound {
			k := max(0, r.IntN(2*len(s.units))-len(s.units))
			key = k == 0 || u.Codec == streams.CodecJPEG
			u = mangle(r, s.units[k], all)
			if len(u.NALUs) > 0 && r.IntN(4) == 0 {
				u = mangle(r, u, all)
			}
		}
		decode := (*codec.Decoders).Decode
		if r.IntN(2) == 0 {
			decode = (*codec.Decoders).Glance
		}
		got, err := decode(shared, u)
		fresh, newErr := codec.New(codec.Options{MaxDecoders: 1})
		if newErr != nil {
			t.Fatal(newErr)
		}
		want, wantErr := decode(fresh, u)
		switch {
		case sound && err != nil:
			t.Fatalf("step %d, %s, a sound unit: %v", i, s.name, err)
		case (err == nil) != (wantErr == nil):
			t.Fatalf("step %d, %s: %v, a new decoder says %v", i, s.name, err, wantErr)
		case err != nil:
			refused++
		case !bytes.Equal(planes(got), planes(want)):
			if key {
				t.Fatalf("step %d, %s: another picture than a new decoder makes", i, s.name)
			}
			// A picture that leans on one that never came is guessed at; the
			// guess must not be of what the neighbours have shown.
			unlike++
			if n := kept.foreign(got, s.name); n > 0 {
				t.Fatalf("step %d, %s: %d pieces of a neighbour's picture", i, s.name, n)
			}
		default:
			shown++
			if !sound {
				damagedShown++
			}
		}
		if sound {
			kept.keep(got, s.name)
		}
		fresh.Close()
	}
	t.Logf("%d shown, %d of them mangled, %d refused, %d guessed at", shown, damagedShown, refused, unlike)
	if refused < 150 || damagedShown < 30 {
		t.Error("too few of a kind to tell")
	}
}
