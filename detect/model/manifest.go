package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// Task is what a model does.
type Task string

// The tasks. There is none that tells one person from another.
const (
	TaskDetect   Task = "detect"   // finds objects and their boxes
	TaskClassify Task = "classify" // says what a whole picture shows
)

// Fit is how a picture of another shape gets into a model's input.
type Fit string

// The fits.
const (
	FitLetterbox Fit = "letterbox" // keeps the shape; in the top left corner, padded
	FitCentred   Fit = "centred"   // keeps the shape; in the middle, padded
	FitStretch   Fit = "stretch"   // fills the input
)

// Channels is the order of the colours in a model's input.
type Channels string

// The orders.
const (
	ChannelsBGR Channels = "bgr"
	ChannelsRGB Channels = "rgb"
)

// Layout is what a model's output means; see the adapters.
type Layout string

// The layouts.
const (
	LayoutYOLOX      Layout = "yolox"
	LayoutYOLOv8     Layout = "yolov8"
	LayoutNanoDet    Layout = "nanodet"
	LayoutFastestDet Layout = "fastestdet"
	// LayoutSigmoid is one number per picture: 0 means the first class, 1 the
	// second.
	LayoutSigmoid Layout = "sigmoid"
)

// None is the class of a picture that shows nothing of what is looked for. It
// is never reported.
const None = "none"

// Manifest says what a model file is. It lies beside the file, with the
// ending .yaml instead of .onnx.
type Manifest struct {
	// Name is what people call it: letters, digits, ".", "_" and "-".
	Name string `yaml:"name" json:"name"`
	// SHA256 of the model file, in lower-case hex, and its size in bytes; a
	// size of 0 is not checked.
	SHA256 string `yaml:"sha256" json:"sha256"`
	Size   int64  `yaml:"size" json:"size,omitempty"`
	// URL is where the file comes from; only models that have one are pulled.
	URL    string `yaml:"url" json:"url,omitempty"`
	Task   Task   `yaml:"task" json:"task"`
	Input  Input  `yaml:"input" json:"input"`
	Output Output `yaml:"output" json:"output"`
	// Classes by number. In YAML the word coco is those of COCO.
	Classes Classes `yaml:"classes" json:"classes"`
	// Licence and Source of model and weights, for those who must answer for
	// their use.
	Licence string `yaml:"licence" json:"licence"`
	Source  string `yaml:"source" json:"source"`
}

// Input is what a model takes: one picture of three planes, 32-bit floats.
// A value of 0..255 becomes (value × Scale − Mean) / Std.
type Input struct {
	Width    int      `yaml:"width" json:"width"`
	Height   int      `yaml:"height" json:"height"`
	Channels Channels `yaml:"channels" json:"channels"`
	Fit      Fit      `yaml:"fit" json:"fit"`
	// Pad is the grey around a letterboxed picture, 0..255.
	Pad int `yaml:"pad" json:"pad"`
	// Scale 0 means 1. Mean and Std are by plane, in the order of Channels;
	// none means 0 and 1.
	Scale float64   `yaml:"scale" json:"scale"`
	Mean  []float64 `yaml:"mean" json:"mean,omitempty"`
	Std   []float64 `yaml:"std" json:"std,omitempty"`
}

// Output is what a model gives.
type Output struct {
	Layout Layout `yaml:"layout" json:"layout"`
	// Strides are the input pixels per cell of each grid, finest first, where
	// the layout has grids of several sizes.
	Strides []int `yaml:"strides" json:"strides,omitempty"`
	// Score is from where on a detection counts, 0..1.
	Score float64 `yaml:"score" json:"score"`
	// Overlap is the intersection over union from where on two boxes of a
	// class are one object, 0..1.
	Overlap float64 `yaml:"overlap" json:"overlap"`
}

// Classes are names by number.
type Classes []string

// UnmarshalYAML reads a list of names, or the word coco.
func (c *Classes) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if err := unmarshal(&word); err == nil {
		if word != "coco" {
			return fmt.Errorf("classes: %q is no list (want a list of names, or the word coco)", word)
		}
		*c = Classes(coco())
		return nil
	}
	var list []string
	if err := unmarshal(&list); err != nil {
		return err
	}
	*c = list
	return nil
}

// Limits of what is taken, so that no file can ask for more than a worker has.
const (
	maxManifest = 128 << 10
	maxModel    = 512 << 20
	maxInput    = 2048
	maxClasses  = 1000
)

// Parse reads a manifest. Its errors name the place.
func Parse(b []byte) (m Manifest, err error) {
	defer func() {
		// The library has panicked on a few short inputs that are no YAML.
		if p := recover(); p != nil {
			err = fmt.Errorf("this is no YAML that can be read: %v", p)
		}
	}()
	if len(b) > maxManifest {
		return m, fmt.Errorf("a manifest of %d bytes: at most %d are read", len(b), maxManifest)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return m, errors.New("the manifest is empty")
	}
	if err := yaml.UnmarshalWithOptions(b, &m, yaml.Strict()); err != nil {
		return m, errors.New(yaml.FormatError(err, false, true))
	}
	path, err := m.check()
	if err != nil {
		return m, fmt.Errorf("%s%w", place(b, path), err)
	}
	return m, nil
}

// place says where in the file a key is, when it is there.
func place(b []byte, path string) string {
	p, err := yaml.PathString(path)
	if err != nil {
		return ""
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return ""
	}
	node, err := p.FilterFile(file)
	if err != nil || node == nil {
		return ""
	}
	at := node.GetToken().Position
	return fmt.Sprintf("line %d, column %d: ", at.Line, at.Column)
}

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// check validates a manifest; path is the YAML path of what is wrong.
func (m *Manifest) check() (path string, err error) {
	switch {
	case !nameForm.MatchString(m.Name):
		return "$.name", fmt.Errorf("name %q: want up to 64 letters, digits, dots, underscores and hyphens", m.Name)
	case !digestForm.MatchString(m.SHA256):
		return "$.sha256", errors.New("sha256: want the SHA-256 of the model file, 64 hexadecimal digits in lower case")
	case m.Size < 0 || m.Size > maxModel:
		return "$.size", fmt.Errorf("size %d: want the bytes of the model file, at most %d", m.Size, maxModel)
	case m.URL != "" && !strings.HasPrefix(m.URL, "https://"):
		return "$.url", fmt.Errorf("url %q: only https:// is fetched", m.URL)
	case m.Licence == "":
		return "$.licence", errors.New("licence: say under which licence the model may be used")
	case m.Source == "":
		return "$.source", errors.New("source: say where the model comes from")
	}
	if path, err := m.Input.check(); err != nil {
		return path, err
	}
	if path, err := m.checkOutput(); err != nil {
		return path, err
	}
	return m.Classes.check()
}

func (in *Input) check() (path string, err error) {
	if in.Width < 32 || in.Height < 32 || in.Width > maxInput || in.Height > maxInput {
		return "$.input.width", fmt.Errorf("input of %d × %d pixels: each side must be 32 to %d", in.Width, in.Height, maxInput)
	}
	switch in.Channels {
	case ChannelsBGR, ChannelsRGB:
	default:
		return "$.input.channels", fmt.Errorf("channels %q: want bgr or rgb", in.Channels)
	}
	switch in.Fit {
	case FitLetterbox, FitCentred, FitStretch:
	default:
		return "$.input.fit", fmt.Errorf("fit %q: want letterbox, centred or stretch", in.Fit)
	}
	if in.Pad < 0 || in.Pad > 255 {
		return "$.input.pad", fmt.Errorf("pad %d: want 0 to 255", in.Pad)
	}
	if in.Scale == 0 {
		in.Scale = 1
	}
	if !(in.Scale > 0) || math.IsInf(in.Scale, 0) {
		return "$.input.scale", fmt.Errorf("scale %g: want a number above 0", in.Scale)
	}
	if len(in.Mean) != 0 && len(in.Mean) != 3 {
		return "$.input.mean", fmt.Errorf("mean: %d numbers, want one for each of 3 channels", len(in.Mean))
	}
	if len(in.Std) != 0 && len(in.Std) != 3 {
		return "$.input.std", fmt.Errorf("std: %d numbers, want one for each of 3 channels", len(in.Std))
	}
	for i, v := range in.Mean {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprintf("$.input.mean[%d]", i), fmt.Errorf("mean %g: want a number", v)
		}
	}
	for i, v := range in.Std {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Sprintf("$.input.std[%d]", i), fmt.Errorf("std %g: want a number above 0", v)
		}
	}
	return "", nil
}

func (m *Manifest) checkOutput() (path string, err error) {
	o := m.Output
	task, grids := TaskDetect, false
	switch o.Layout {
	case LayoutYOLOX, LayoutNanoDet:
		grids = true
	case LayoutYOLOv8, LayoutFastestDet:
	case LayoutSigmoid:
		task = TaskClassify
		if len(m.Classes) != 2 {
			return "$.classes", fmt.Errorf("%d classes: a sigmoid has two, the first at 0 and the second at 1", len(m.Classes))
		}
	default:
		return "$.output.layout", fmt.Errorf("layout %q: want yolox, yolov8, nanodet, fastestdet or sigmoid", o.Layout)
	}
	if m.Task != task {
		return "$.task", fmt.Errorf("task %q: a model of layout %s does %q", m.Task, o.Layout, task)
	}
	if grids != (len(o.Strides) > 0) || len(o.Strides) > 8 {
		return "$.output.strides", fmt.Errorf("%d strides: layouts yolox and nanodet have up to 8, the others none", len(o.Strides))
	}
	for i, s := range o.Strides {
		if s < 1 || m.Input.Width%s != 0 || m.Input.Height%s != 0 {
			return fmt.Sprintf("$.output.strides[%d]", i), fmt.Errorf("stride %d does not divide the input of %d × %d pixels", s, m.Input.Width, m.Input.Height)
		}
	}
	if !(o.Score > 0 && o.Score < 1) {
		return "$.output.score", fmt.Errorf("score %g: want above 0 and below 1", o.Score)
	}
	if task == TaskDetect && !(o.Overlap > 0 && o.Overlap < 1) {
		return "$.output.overlap", fmt.Errorf("overlap %g: want above 0 and below 1", o.Overlap)
	}
	return "", nil
}

// File is a model file with its manifest.
type File struct {
	Manifest Manifest
	// ONNX are the bytes that the manifest's digest is of.
	ONNX []byte
}

// ManifestPath is where the manifest of a model file lies.
func ManifestPath(path string) string { return strings.TrimSuffix(path, ".onnx") + ".yaml" }

// Load reads a model file and its manifest: the one that lies beside it, or
// else that of a known model with the same digest.
func Load(path string) (File, error) {
	if !strings.HasSuffix(path, ".onnx") {
		return File{}, fmt.Errorf("%s: a model is an ONNX file, its name ends with .onnx", path)
	}
	onnx, err := read(path, maxModel)
	if err != nil {
		return File{}, err
	}
	sum := sha256.Sum256(onnx)
	digest := hex.EncodeToString(sum[:])
	beside := ManifestPath(path)
	b, err := read(beside, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		m, ok := knownDigest(digest)
		if !ok {
			return File{}, fmt.Errorf("%s has no manifest: write %s (see 'patrol model list -o json' for examples); the file's SHA-256 is %s", path, beside, digest)
		}
		return File{Manifest: m, ONNX: onnx}, nil
	}
	if err != nil {
		return File{}, err
	}
	m, err := Parse(b)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", beside, err)
	}
	if m.SHA256 != digest || m.Size > 0 && m.Size != int64(len(onnx)) {
		return File{}, fmt.Errorf("%s is not the file that its manifest describes: it has %d bytes and SHA-256 %s, %s wants %s", path, len(onnx), digest, beside, m.SHA256)
	}
	return File{Manifest: m, ONNX: onnx}, nil
}

func read(path string, most int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the administrator named it
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > most:
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	case len(b) == 0:
		return nil, fmt.Errorf("%s is empty", path)
	}
	return b, nil
}
