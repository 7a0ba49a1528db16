// Package pull fetches known models from where they are published.
package pull

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/goccy/go-yaml"

	"videopatrol/detect/model"
)

// Options say what to fetch. Manifest, with its SHA-256 and size, and Dir are
// required.
type Options struct {
	Manifest model.Manifest
	// Dir is where NAME.onnx and its manifest NAME.yaml come to lie.
	Dir string
	// URL is a mirror of the site's own; "" means the manifest's. The bytes
	// must be the same.
	URL string
	// Client's transport is used; nil means the default one. Redirects are
	// followed to https alone.
	Client *http.Client
	// Stall is how long nothing may come; 0 means 30 s.
	Stall time.Duration
}

// Pull fetches a model and returns the path of its file. A file is there
// whole and with the right digest, or not at all: what comes is kept as
// NAME.onnx.part, from which the next call goes on.
func Pull(ctx context.Context, o Options) (string, error) {
	m := o.Manifest
	if m.Size == 0 || m.SHA256 == "" {
		return "", fmt.Errorf("model %s has no pinned size and digest: it is not pulled", m.Name)
	}
	if o.URL == "" {
		o.URL = m.URL
	}
	if err := secure(o.URL); err != nil {
		return "", err
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return "", err
	}
	path := filepath.Join(o.Dir, m.Name+".onnx")
	if sum, size, err := digest(path); err == nil && sum == m.SHA256 && size == m.Size {
		return path, describe(path, m)
	}
	part := path + ".part"
	if err := fetch(ctx, o, part); err != nil {
		return "", fmt.Errorf("model %s: %w", m.Name, err)
	}
	sum, size, err := digest(part)
	if err == nil && (sum != m.SHA256 || size != m.Size) {
		err = errors.Join(fmt.Errorf("model %s: %s sent %d bytes with SHA-256 %s, and %d bytes with %s are wanted: they are thrown away",
			m.Name, o.URL, size, sum, m.Size, m.SHA256), os.Remove(part))
	}
	if err != nil {
		return "", err
	}
	if err := describe(path, m); err != nil {
		return "", err
	}
	return path, os.Rename(part, path)
}

func secure(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q: models are fetched by https:// alone", address)
	}
	return nil
}

// fetch completes the part file.
func fetch(ctx context.Context, o Options, part string) (err error) {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o640) //nolint:gosec // its name is the manifest's
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	size := o.Manifest.Size
	if have == size {
		return nil
	}
	if have > size {
		have = 0
	}
	// Bytes that do not come end it, however long all of them take.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(o.Stall, func() { cancel(fmt.Errorf("nothing came for %v; call again to go on", o.Stall)) })
	defer stalled.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.URL, nil)
	if err != nil {
		return err
	}
	if have > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(have, 10)+"-")
	}
	resp, err := o.client().Do(req)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && have > 0:
	case resp.StatusCode == http.StatusOK:
		have = 0 // the server sends all of it
	default:
		return fmt.Errorf("%s answered %s", resp.Request.URL.Redacted(), resp.Status)
	}
	if n := resp.ContentLength; n >= 0 && have+n != size {
		return fmt.Errorf("%s sends %d bytes, want %d: it is not the model that is known by this name", resp.Request.URL.Redacted(), have+n, size)
	}
	if err := f.Truncate(have); err != nil {
		return err
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	body := &progress{r: io.LimitReader(resp.Body, size-have+1), tick: func() { stalled.Reset(o.Stall) }}
	n, err := io.Copy(f, body)
	if err != nil {
		return causeOf(ctx, err)
	}
	if have+n < size {
		return fmt.Errorf("%d of %d bytes came; call again to go on", have+n, size)
	}
	return f.Sync()
}

func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// client follows redirects to https alone.
func (o Options) client() *http.Client {
	c := http.Client{}
	if o.Client != nil {
		c = *o.Client
	}
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errors.New("more than five redirects")
		}
		return secure(r.URL.String())
	}
	return &c
}

// progress tells whenever bytes come.
type progress struct {
	r    io.Reader
	tick func()
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n > 0 {
		p.tick()
	}
	return n, err
}

func digest(path string) (sum string, size int64, err error) {
	f, err := os.Open(path) //nolint:gosec // its name is the manifest's
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// describe writes the manifest beside a model, all or nothing.
func describe(path string, m model.Manifest) error {
	b, err := yaml.Marshal(m)
	if err != nil {
		return err
	}
	to := model.ManifestPath(path)
	if err := os.WriteFile(to+".part", b, 0o640); err != nil { //nolint:gosec // models are no secrets
		return errors.Join(err, os.Remove(to+".part"))
	}
	return os.Rename(to+".part", to)
}
