package evidence_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"videopatrol/alerts"
	"videopatrol/alerts/evidence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPictures(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "evidence")
	d, err := evidence.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	const name = "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7" // of "data"
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := d.Put(t.Context(), []byte("data")); got != name || err != nil {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
	wg.Wait()
	r, err := d.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); string(b) != "data" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	var files []string
	if err := filepath.WalkDir(path, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, e.Name())
			if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", p, info.Mode(), err)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Errorf("files %v", files)
	}

	for _, bad := range []string{"", "x", "../../etc/passwd", strings.Repeat("0", 64), strings.ToUpper(name), name + "00"} {
		if _, err := d.Open(t.Context(), bad); !errors.Is(err, alerts.ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range [][]byte{nil, bytes.Repeat([]byte("x"), evidence.MaxPicture+1)} {
		if _, err := d.Put(t.Context(), bad); err == nil {
			t.Errorf("a picture of %d bytes was kept", len(bad))
		}
	}

	// A damaged picture is never shown, and the same picture mends it.
	file := filepath.Join(path, name[:2], name+".jpg")
	if err := os.WriteFile(file, []byte("dat"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context(), name); !errors.Is(err, evidence.ErrDamaged) {
		t.Errorf("damaged: %v", err)
	}
	if _, err := d.Put(t.Context(), []byte("data")); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Open(t.Context(), name); err != nil {
		t.Errorf("mended: %v", err)
	} else {
		_ = r.Close()
	}
	if _, err := evidence.Open(""); err == nil {
		t.Error("a folder without a name was opened")
	}
}
