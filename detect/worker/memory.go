package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// memoryMaxAge is how old a checkpoint on disk may be: light and parked things
// change, and what runs is known from Config.Running.
const memoryMaxAge = 6 * time.Hour

// memoryEvery is how often at most a checkpoint is written to disk while no
// condition begins or ends: somewhat more often than they come, so that none
// is left out for having come early.
const memoryEvery = 45 * time.Second

// A memory is the newest checkpoint of a camera's watch that may be used: all
// that it knows of has been reported.
type memory struct {
	blob []byte
	// at is the receive time of the sample after which it was made.
	at time.Time
	// looked: the disk has been asked.
	looked  bool
	written time.Time
	// ahead: the child's watch knows of a finding that was not reported.
	ahead bool
}

// memoryHead is the first line of a checkpoint's file.
type memoryHead struct {
	Camera string    `json:"camera"`
	At     time.Time `json:"at"`
	CRC    uint32    `json:"crc"` // of what follows the line, IEEE
}

func memoryPath(dir, camera string) string {
	return filepath.Join(dir, url.PathEscape(camera)+".watch")
}

// writeMemory replaces the camera's file. It is not synced: after a power
// failure a damaged file is told by its CRC and ignored.
func writeMemory(dir, camera string, m memory) error {
	head, err := json.Marshal(memoryHead{Camera: camera, At: m.at, CRC: crc32.ChecksumIEEE(m.blob)})
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	b := append(append(head, '\n'), m.blob...)
	return replaceFile(memoryPath(dir, camera), b)
}

// replaceFile writes a file that only this user can read, all or nothing.
func replaceFile(path string, b []byte) error {
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, b, 0o600); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return os.Rename(temporary, path)
}

// readMemory returns the camera's memory; an empty one when there is none, or
// when it is too old.
func readMemory(dir, camera string, now time.Time) (memory, error) {
	b, err := os.ReadFile(memoryPath(dir, camera))
	if errors.Is(err, fs.ErrNotExist) {
		return memory{}, nil
	}
	if err != nil {
		return memory{}, fmt.Errorf("checkpoint: %w", err)
	}
	h, blob, err := parseMemory(b)
	if err != nil {
		return memory{}, fmt.Errorf("checkpoint of %s: %w", camera, err)
	}
	if h.Camera != camera || now.Sub(h.At) > memoryMaxAge || h.At.After(now) {
		return memory{}, nil
	}
	return memory{blob: blob, at: h.At, written: now}, nil
}

// parseMemory reads what a checkpoint's file holds.
func parseMemory(b []byte) (memoryHead, []byte, error) {
	var h memoryHead
	line, blob, found := bytes.Cut(b, []byte{'\n'})
	if !found || len(blob) > maxCheckpoint {
		return h, nil, fmt.Errorf("a file of %d bytes is not one", len(b))
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, nil, err
	}
	if crc32.ChecksumIEEE(blob) != h.CRC {
		return h, nil, errors.New("it is damaged")
	}
	return h, blob, nil
}

// sweepMemory removes the files that readMemory would never use.
func sweepMemory(dir string, now time.Time) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		i, statErr := e.Info()
		if ext := filepath.Ext(e.Name()); statErr != nil || (ext != ".watch" && ext != ".tmp") {
			continue
		}
		if now.Sub(i.ModTime()) > memoryMaxAge {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
