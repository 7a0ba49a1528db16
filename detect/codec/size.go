package codec

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"videopatrol/streams"
)

// checkSize refuses a unit whose parameter sets announce too large a picture,
// before anything is allocated for it. libavcodec holds the same limit for
// parameter sets that hide elsewhere.
func checkSize(u streams.Unit, most int) error {
	for _, p := range u.Params {
		var w, h int
		switch {
		case u.Codec == streams.CodecH264 && len(p) > 0 && h264.NALUType(p[0]&0x1F) == h264.NALUTypeSPS:
			var sps h264.SPS
			if err := sps.Unmarshal(p); err != nil {
				return fmt.Errorf("%w: its SPS: %w", ErrDamaged, err)
			}
			w, h = sps.Width(), sps.Height()
		case u.Codec == streams.CodecH265 && len(p) > 1 && h265.NALUType(p[0]>>1&0x3F) == h265.NALUType_SPS_NUT:
			var sps h265.SPS
			if err := sps.Unmarshal(p); err != nil {
				return fmt.Errorf("%w: its SPS: %w", ErrDamaged, err)
			}
			w, h = sps.Width(), sps.Height()
		default:
			continue
		}
		if w < 1 || h < 1 || w > most || h > most {
			return fmt.Errorf("%w: its parameter sets announce %d × %d pixels, at most %d a side", ErrTooLarge, w, h, most)
		}
	}
	return nil
}
