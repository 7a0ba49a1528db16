package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"videopatrol/alerts"
)

// MaxPicture is the largest picture that is kept, in bytes.
const MaxPicture = 8 << 20

// ErrDamaged is returned for a file that is not what its name says.
var ErrDamaged = errors.New("the picture on disk is damaged")

// Dir is a folder of pictures. It is safe for concurrent use.
type Dir struct {
	path string
}

var _ alerts.Pictures = (*Dir)(nil)

// Open makes the folder where it is missing, for its owner only.
func Open(path string) (*Dir, error) {
	if path == "" {
		return nil, errors.New("evidence: a folder is required")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return &Dir{path: path}, nil
}

// Put keeps a picture and returns its hash once it is durable.
func (d *Dir) Put(_ context.Context, picture []byte) (string, error) {
	if len(picture) == 0 || len(picture) > MaxPicture {
		return "", fmt.Errorf("evidence: a picture has 1 to %d bytes, this one has %d", MaxPicture, len(picture))
	}
	sum := sha256.Sum256(picture)
	name := hex.EncodeToString(sum[:])
	path := d.file(name)
	if kept, err := os.ReadFile(path); err == nil && bytes.Equal(kept, picture) {
		// A crash may have come between the rename and the sync of its folder.
		return name, syncDir(filepath.Dir(path))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("evidence: %w", err)
	}
	if err := write(path, picture); err != nil {
		return "", fmt.Errorf("evidence: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return "", err
	}
	return name, syncDir(d.path)
}

// Open returns a picture, alerts.ErrNotFound, or ErrDamaged.
func (d *Dir) Open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	if sum, err := hex.DecodeString(name); err != nil || len(sum) != sha256.Size || hex.EncodeToString(sum) != name {
		return nil, alerts.ErrNotFound
	}
	f, err := os.Open(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, alerts.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	defer f.Close()
	picture, err := io.ReadAll(io.LimitReader(f, MaxPicture+1))
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	if sum := sha256.Sum256(picture); hex.EncodeToString(sum[:]) != name {
		return nil, fmt.Errorf("evidence %s: %w", name, ErrDamaged)
	}
	return nopCloser{bytes.NewReader(picture)}, nil
}

// file spreads pictures over 256 folders.
func (d *Dir) file(name string) string { return filepath.Join(d.path, name[:2], name+".jpg") }

// write makes the file appear whole or not at all.
func write(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return nil
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }
