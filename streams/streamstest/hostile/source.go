package hostile

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"image"
	"slices"
	"sync"
	"time"

	"videopatrol/streams/synth"
)

// Source is what one session plays.
type Source struct {
	// H265 tells the codec of the NAL units; else it is H.264.
	H265 bool
	// Params are the parameter sets that the SDP announces: H.264 SPS, PPS;
	// H.265 VPS, SPS, PPS; without start codes.
	Params [][]byte
	// Period is the time from one picture to the next.
	Period time.Duration
	// Unit returns the NAL units of the n-th picture, parameter sets among
	// them where the camera sends them in band. It is called with 0, 1, 2 …;
	// picture 0 is a key unit.
	Unit func(n int) [][]byte

	second time.Duration // as the faults count
}

// h265Params are VPS, SPS and PPS of a 1920 × 1080 picture.
var h265Params = [][]byte{
	{0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x78, 0x99, 0x98, 0x09},
	{
		0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x78, 0xa0, 0x03,
		0xc0, 0x80, 0x10, 0xe5, 0x96, 0x66, 0x69, 0x24, 0xca, 0xe0, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01, 0xe0, 0x80,
	},
	{0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40},
}

// side is the width and height of the drawn picture, in pixels.
const side = 64

// drawn are the parameter sets and pictures of the drawn film: real H.264 that
// a decoder takes.
var drawn = sync.OnceValue(func() (d struct {
	params [][]byte
	keys   [][]byte
	skip   []byte
},
) {
	e, err := synth.NewEncoder(side, side)
	if err != nil {
		panic(err) // the size is a constant
	}
	sps, pps := e.Params()
	d.params, d.skip = [][]byte{sps, pps}, e.Skip()
	for i := range 8 {
		key, err := e.Key(picture(func(x, y int) byte { return byte(16 + (x*y/32+i*24)%200) }))
		if err != nil {
			panic(err)
		}
		d.keys = append(d.keys, key)
	}
	return d
})

func picture(luma func(x, y int) byte) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, side, side), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = luma(i%side, i/side)
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 128, 128
	}
	return img
}

// Film is a small real H.264 stream of 64 × 64 pixels: a key unit of some 6 kB
// every gop pictures, each drawn anew, and pictures that repeat it between.
func Film(gop int, period time.Duration) Source {
	d := drawn()
	return Source{Params: d.params, Period: period, Unit: func(n int) [][]byte {
		if n%gop != 0 {
			return [][]byte{d.skip}
		}
		return [][]byte{d.params[0], d.params[1], d.keys[n/gop%len(d.keys)]}
	}}
}

// Film265 is the same in the form of H.265; its slices hold no picture.
func Film265(gop int, period time.Duration) Source {
	return Source{H265: true, Params: h265Params, Period: period, Unit: func(n int) [][]byte {
		if n%gop != 0 {
			return [][]byte{slice265(1, 1200, n)}
		}
		return [][]byte{h265Params[0], h265Params[1], h265Params[2], slice265(19, size265, n)}
	}}
}

// size265 is the size of its key units, in bytes.
const size265 = 6000

// slice265 makes a NAL unit of H.265 without a start code in it.
func slice265(kind byte, size, n int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(n) | 1
	}
	b[0], b[1], b[2] = kind<<1, 1, 0xaf
	return b
}

// describe writes the SDP of a source.
func (s Source) describe() string {
	head := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=Media Server\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
	b64 := base64.StdEncoding.EncodeToString
	if s.H265 {
		return head + "a=rtpmap:96 H265/90000\r\na=fmtp:96 sprop-vps=" + b64(s.Params[0]) + ";sprop-sps=" + b64(s.Params[1]) +
			";sprop-pps=" + b64(s.Params[2]) + "\r\na=control:track1\r\n"
	}
	return head + "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=" + hex.EncodeToString(s.Params[0][1:4]) +
		";sprop-parameter-sets=" + b64(s.Params[0]) + "," + b64(s.Params[1]) + "\r\na=control:track1\r\n"
}

// key tells whether a picture can be decoded alone.
func (s Source) key(nalus [][]byte) bool {
	for _, n := range nalus {
		if s.H265 && n[0]>>1&0x3f == 19 || !s.H265 && n[0]&0x1f == 5 {
			return true
		}
	}
	return false
}

// Whole tells whether NAL units are a whole picture of one of the two films.
func Whole(nalus [][]byte) bool {
	if len(nalus) != 1 || len(nalus[0]) == 0 {
		return false
	}
	return nalus[0][0]&0x1f == 5 && slices.ContainsFunc(drawn().keys, func(k []byte) bool { return bytes.Equal(k, nalus[0]) }) ||
		nalus[0][0]>>1 == 19 && len(nalus[0]) == size265
}

// drawKey encodes one picture.
func drawKey(luma func(x, y int) byte) []byte {
	e, err := synth.NewEncoder(side, side)
	if err != nil {
		panic(err) // the size is a constant
	}
	key, err := e.Key(picture(luma))
	if err != nil {
		panic(err)
	}
	return key
}
