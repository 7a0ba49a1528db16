package opencv

import (
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"
	"unsafe"

	"gocv.io/x/gocv"

	"videopatrol/detect"
)

// jpegQuality is enough to see what happens, at some 50 kB a picture.
const jpegQuality = 80

// Imaging works on pixels by OpenCV. It is not safe for concurrent use.
type Imaging struct {
	reducer                          reducer
	small                            gocv.Mat
	closed, labels, stats, centroids gocv.Mat
	kernel                           gocv.Mat
	i420, bgr                        gocv.Mat
}

var _ detect.Imaging = (*Imaging)(nil)

var threads sync.Once

// New returns an Imaging.
func New() *Imaging {
	threads.Do(oneThread)
	m := &Imaging{
		small:  gocv.NewMat(),
		closed: gocv.NewMat(), labels: gocv.NewMat(), stats: gocv.NewMat(), centroids: gocv.NewMat(),
		kernel: gocv.GetStructuringElement(gocv.MorphRect, image.Pt(3, 3)),
		i420:   gocv.NewMat(), bgr: gocv.NewMat(),
	}
	return m
}

// Close frees what the Imaging holds.
func (m *Imaging) Close() error {
	var errs []error
	for _, mat := range []*gocv.Mat{
		&m.small, &m.closed, &m.labels, &m.stats, &m.centroids, &m.kernel, &m.i420, &m.bgr,
	} {
		errs = append(errs, mat.Close())
	}
	return errors.Join(errs...)
}

// view makes a matrix of a plane without copying; done frees it.
func view(p detect.Plane) (mat gocv.Mat, done func(), err error) {
	if p.Width < 1 || p.Height < 1 || p.Width > detect.MaxSide || p.Height > detect.MaxSide ||
		p.Stride < p.Width || len(p.Pix) < (p.Height-1)*p.Stride+p.Width {
		return mat, nil, fmt.Errorf("a plane of %d × %d pixels with stride %d in %d bytes", p.Width, p.Height, p.Stride, len(p.Pix))
	}
	// The last row need not be a whole stride long, but a matrix of whole
	// strides must not reach beyond the plane: then the rows are copied.
	if p.Stride != p.Width && len(p.Pix) < p.Height*p.Stride {
		tight := make([]byte, 0, p.Width*p.Height)
		for y := range p.Height {
			tight = append(tight, p.Row(y)...)
		}
		p.Pix, p.Stride = tight, p.Width
	}
	whole, err := gocv.NewMatFromBytes(p.Height, p.Stride, gocv.MatTypeCV8U, p.Pix)
	if err != nil {
		return mat, nil, err
	}
	if p.Stride == p.Width {
		return whole, func() { _ = whole.Close() }, nil
	}
	part := whole.Region(image.Rect(0, 0, p.Width, p.Height))
	return part, func() { _ = part.Close(); _ = whole.Close() }, nil
}

// Shrink reduces a plane by area averaging, then smooths it over 3 × 3 pixels.
func (m *Imaging) Shrink(p detect.Plane, width, height int) (detect.Plane, error) {
	if width < 1 || height < 1 || width > p.Width || height > p.Height {
		return detect.Plane{}, fmt.Errorf("cannot reduce %d × %d pixels to %d × %d", p.Width, p.Height, width, height)
	}
	// What view checks must hold before the reducer reads.
	src, done, err := view(p)
	if err != nil {
		return detect.Plane{}, err
	}
	defer done()
	if canReduce(p, width, height) {
		return m.reducer.smooth(m.reducer.reduce(p, width, height)), nil
	}
	gocv.Resize(src, &m.small, image.Pt(width, height), 0, 0, gocv.InterpolationArea)
	pix, err := m.small.DataPtrUint8()
	if err != nil {
		return detect.Plane{}, err
	}
	return m.reducer.smooth(detect.Plane{Pix: pix, Width: width, Height: height, Stride: width}), nil
}

// Blobs finds the 8-connected components of a mask, closed over 3 × 3 pixels.
func (m *Imaging) Blobs(mask detect.Plane, minArea int) ([]detect.Blob, []int32, error) {
	if mask.Stride != mask.Width {
		return nil, nil, fmt.Errorf("a mask of stride %d, want %d", mask.Stride, mask.Width)
	}
	src, done, err := view(mask)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	gocv.MorphologyEx(src, &m.closed, gocv.MorphClose, m.kernel)
	n := gocv.ConnectedComponentsWithStats(m.closed, &m.labels, &m.stats, &m.centroids)
	var blobs []detect.Blob
	for i := 1; i < n; i++ {
		if area := int(m.stats.GetIntAt(i, 4)); area >= minArea {
			blobs = append(blobs, detect.Blob{
				X: int(m.stats.GetIntAt(i, 0)), Y: int(m.stats.GetIntAt(i, 1)),
				W: int(m.stats.GetIntAt(i, 2)), H: int(m.stats.GetIntAt(i, 3)),
				Area: area, Label: int32(i),
			})
		}
	}
	slices.SortFunc(blobs, func(a, b detect.Blob) int {
		if a.Area != b.Area {
			return b.Area - a.Area
		}
		return int(a.Label - b.Label)
	})
	labels, err := int32s(&m.labels, mask.Width*mask.Height)
	return blobs, labels, err
}

// int32s returns the n numbers of a 32-bit matrix, without copying.
func int32s(mat *gocv.Mat, n int) ([]int32, error) {
	raw, err := mat.DataPtrUint8() // gocv has no pointer to 32-bit integers
	if err != nil {
		return nil, err
	}
	if len(raw) != 4*n {
		return nil, fmt.Errorf("labels of %d bytes, want %d", len(raw), 4*n)
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(raw))), n), nil
}

// JPEG encodes a picture, at most maxWidth wide and of even sides. A wider
// picture is reduced by a whole number, before colour is made of it: 1920
// pixels become 640.
func (m *Imaging) JPEG(p detect.Picture, maxWidth int) ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if maxWidth < detect.MinSide {
		return nil, fmt.Errorf("a JPEG at most %d pixels wide: want at least %d", maxWidth, detect.MinSide)
	}
	k := (p.Y.Width + maxWidth - 1) / maxWidth
	w, h := p.Y.Width/k&^1, max(p.Y.Height/k&^1, 2)
	if m.i420.Rows() != h*3/2 || m.i420.Cols() != w {
		_ = m.i420.Close()
		m.i420 = gocv.NewMatWithSize(h*3/2, w, gocv.MatTypeCV8U)
	}
	all, err := m.i420.DataPtrUint8()
	if err != nil {
		return nil, err
	}
	rest := all
	for i, plane := range []detect.Plane{p.Y, p.Cb, p.Cr} {
		pw, ph := w, h
		if i > 0 {
			pw, ph = w/2, h/2
		}
		plane.Width, plane.Height = min(plane.Width, pw*k), min(plane.Height, ph*k)
		if err := resizeInto(rest[:pw*ph], pw, ph, plane); err != nil {
			return nil, err
		}
		rest = rest[pw*ph:]
	}
	if p.FullRange {
		limit(all, w*h)
	}
	gocv.CvtColor(m.i420, &m.bgr, gocv.ColorYUVToBGRIYUV)
	buf, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, m.bgr, []int{gocv.IMWriteJpegQuality, jpegQuality})
	if err != nil {
		return nil, err
	}
	defer buf.Close()
	return slices.Clone(buf.GetBytes()), nil
}

// resizeInto writes a plane into w × h bytes.
func resizeInto(to []byte, w, h int, p detect.Plane) error {
	if p.Width == w && p.Height == h {
		for y := range h {
			copy(to[y*w:], p.Row(y))
		}
		return nil
	}
	src, done, err := view(p)
	if err != nil {
		return err
	}
	defer done()
	dst, err := gocv.NewMatFromBytes(h, w, gocv.MatTypeCV8U, to)
	if err != nil {
		return err
	}
	defer func() { _ = dst.Close() }()
	// Of the size it wants already, so OpenCV writes in place.
	gocv.Resize(src, &dst, image.Pt(w, h), 0, 0, gocv.InterpolationArea)
	return nil
}

// limit turns full-range samples, luma of them first, into the limited range
// that colour conversion expects (ITU-T H.273, video_full_range_flag).
func limit(all []byte, luma int) {
	for i, v := range all[:luma] {
		all[i] = byte(16 + (int(v)*219+127)/255)
	}
	for i, v := range all[luma:] {
		all[luma+i] = byte(128 + ((int(v)-128)*224+127)/255)
	}
}
