package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
)

// Sink takes copies of checkpoints off the machine.
type Sink interface {
	// Copy returns nil once the checkpoints are where they shall be. They come
	// in order; after an error the same ones come again.
	Copy(ctx context.Context, checkpoints []Checkpoint) error
}

// NamedSink is a Sink and what the ledger and the metrics know it by: a sink
// that comes back under its name gets what it has missed.
type NamedSink struct {
	Name string
	Sink Sink
	// Single: checkpoints go one at a time, so that what comes again after an
	// error is the last one alone, and the copy's order holds.
	Single bool
}

// File is a Sink that appends to a file, one line each, and brings it to disk.
// The file is opened for each copy, so that a mount may come and go.
type File string

// Copy appends the checkpoints.
func (path File) Copy(_ context.Context, checkpoints []Checkpoint) (err error) {
	_, err = os.Stat(string(path))
	fresh := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(string(path), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := lineBreak(f)
	if err != nil {
		return err
	}
	for _, c := range checkpoints {
		line, err := c.Line()
		if err != nil {
			return err
		}
		text = append(text, line...)
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if !fresh {
		return nil
	}
	dir, err := os.Open(filepath.Dir(string(path)))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// lineBreak is what ends a line that was cut off in the middle, if the file
// ends in one. The file may be one that can only be appended to.
func lineBreak(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
		return nil, err
	}
	if last[0] == '\n' {
		return nil, nil
	}
	return []byte{'\n'}, nil
}

// maxLine bounds a line of a copy, in bytes.
const maxLine = 4096

// ReadCopy reads a node's checkpoints from a copy, and passes over those of
// other nodes. A line that was cut off is passed over too where the copy was
// taken up again: then the next line begins with it, or there is none yet.
func ReadCopy(r io.Reader, node string) iter.Seq2[Checkpoint, error] {
	return func(yield func(Checkpoint, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		lines.Split(wholeLines)
		var torn []byte
		var damage error // of the line torn, until the next one excuses it
		for n := 1; lines.Scan(); n++ {
			if damage != nil && !bytes.HasPrefix(lines.Bytes(), torn) {
				break
			}
			c, err := ParseCheckpoint(lines.Bytes())
			if damage = nil; err == nil {
				if c.Node == node && !yield(c, nil) {
					return
				}
				continue
			}
			line, whole := bytes.CutSuffix(lines.Bytes(), []byte{'\n'})
			if whole { // else it is the last one, and being written
				torn, damage = bytes.Clone(line), fmt.Errorf("line %d of the copy is damaged: %w", n, err)
			}
		}
		if err := errors.Join(damage, lines.Err()); err != nil {
			yield(Checkpoint{}, err)
		}
	}
}

// wholeLines is bufio.ScanLines that leaves the line break on.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
