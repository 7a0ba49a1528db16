package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"videopatrol/streams"
)

// The bounds of what is kept for inspection. Kept samples are not masked, so
// they are readable by this user alone and go after a week.
const (
	keptSamples = 64
	keptBytes   = 128 << 20
	keptFor     = 7 * 24 * time.Hour
)

// A strike is what a camera has done to workers.
type strike struct {
	count int
	until time.Time
}

// forgiven is how long a camera must do no harm, counted from the end of its
// last sentence, for a clean slate.
const forgiven = time.Hour

// blame adds one worker ended.
func (s strike) blame(now time.Time) strike {
	if now.Sub(s.until) > forgiven {
		s.count = 0
	}
	s.count++
	s.until = now.Add(sentence(s.count))
	return s
}

// sentence is how long a camera is shut out for its nth strike. The first may
// have been the machine's fault.
func sentence(n int) time.Duration {
	switch {
	case n <= 1:
		return 0
	case n == 2:
		return time.Minute
	case n == 3:
		return 10 * time.Minute
	default:
		return time.Hour
	}
}

// A caseFile is what is written beside a quarantined sample.
type caseFile struct {
	Camera   string        `json:"camera"`
	Received time.Time     `json:"received"`
	At       time.Time     `json:"at"`
	Codec    streams.Codec `json:"codec"`
	Bytes    int           `json:"bytes"`
	// Reason is that of patrol_worker_restarts_total.
	Reason  string `json:"reason"`
	Error   string `json:"error"`
	Fate    string `json:"fate"` // how the process ended
	Strikes int    `json:"strikes"`
	ShutOut string `json:"shut_out,omitempty"` // until when, RFC 3339
	// Stderr are the first lines that the child printed over the sample.
	Stderr []string `json:"stderr,omitempty"`
}

// A quarantine keeps the samples that ended a worker, for inspection.
type quarantine struct {
	dir string

	mu  sync.Mutex
	seq int
}

// keep writes the sample and its case, and drops the oldest beyond the bounds.
// It returns the sample's path.
func (k *quarantine) keep(c caseFile, u streams.Unit) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seq++
	stem := filepath.Join(k.dir, fmt.Sprintf("%s-%04d", c.At.UTC().Format("20060102T150405.000"), k.seq%10000))
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", fmt.Errorf("quarantine: %w", err)
	}
	path := stem + extension(u.Codec)
	if err := replaceFile(path, bitstream(u)); err != nil {
		return "", fmt.Errorf("quarantine: %w", err)
	}
	if err := replaceFile(stem+".json", text); err != nil {
		return "", fmt.Errorf("quarantine: %w", err)
	}
	return path, k.prune(c.At)
}

// sweep drops what is too old.
func (k *quarantine) sweep(now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.prune(now)
}

// prune drops the oldest files beyond the bounds; names sort by time.
func (k *quarantine) prune(now time.Time) error {
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	oldest := now.Add(-keptFor).UTC().Format("20060102T150405.000")
	var errs []error
	samples, bytes, last := 0, int64(0), ""
	for _, e := range slices.Backward(entries) {
		stem, ext, _ := cutLast(e.Name(), ".")
		if !ours(ext) {
			continue
		}
		if info, err := e.Info(); err == nil {
			bytes += info.Size()
		}
		if stem != last {
			last = stem
			samples++
		}
		if samples > keptSamples || bytes > keptBytes || stem < oldest {
			errs = append(errs, os.Remove(filepath.Join(k.dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func ours(ext string) bool {
	switch ext {
	case "json", "h264", "h265", "jpg", "bin", "tmp":
		return true
	}
	return false
}

func extension(c streams.Codec) string {
	switch c {
	case streams.CodecH264:
		return ".h264"
	case streams.CodecH265:
		return ".h265"
	case streams.CodecJPEG:
		return ".jpg"
	}
	return ".bin"
}

// bitstream is the unit as a file that any player reads: Annex B (ITU-T H.264
// and H.265) or JPEG.
func bitstream(u streams.Unit) []byte {
	b := make([]byte, 0, u.Size()+4*(len(u.Params)+len(u.NALUs)))
	for _, part := range [][][]byte{u.Params, u.NALUs} {
		for _, n := range part {
			if u.Codec != streams.CodecJPEG {
				b = append(b, 0, 0, 0, 1)
			}
			b = append(b, n...)
		}
	}
	return b
}
