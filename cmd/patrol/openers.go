package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	"videopatrol/streams/still"
)

// openers are the protocols that cameras are reached by, by scheme.
func (a *app) openers() (streams.Openers, error) {
	private, all, err := readCAs(a.cfg.Patrol.CAs)
	if err != nil {
		return nil, fmt.Errorf("patrol.cas: %w", err)
	}
	unreadable := &answers{dir: a.path("unreadable"), log: a.part("streams")}
	video, err := rtsp.New(rtsp.Options{CAs: private, Kept: unreadable.keep})
	if err != nil {
		return nil, err
	}
	a.registry.MustRegister(strays(video)...)
	pictures, err := still.New(still.Options{TLS: &tls.Config{RootCAs: all, MinVersion: tls.VersionTLS12}})
	if err != nil {
		return nil, err
	}
	a.onClose(func() error { pictures.Close(); return nil })
	return streams.Openers{"rtsp": video, "rtsps": video, "http": pictures, "https": pictures}, nil
}

// strays count what cameras send that belongs to nothing.
func strays(o *rtsp.Opener) []prometheus.Collector {
	counter := func(name, help string, value func(rtsp.Strays) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "patrol_stray_" + name + "_total", Help: help},
			func() float64 { return float64(value(o.Strays())) })
	}
	return []prometheus.Collector{
		counter("bytes", "Bytes between a camera's frames that belong to no frame and no message.", func(s rtsp.Strays) uint64 { return s.Bytes }),
		counter("frames", "Frames of a camera on a channel that was not set up, or before it was asked to play.", func(s rtsp.Strays) uint64 { return s.Frames }),
		counter("packets", "Packets of a camera that are no RTP, or of another payload type or source.", func(s rtsp.Strays) uint64 { return s.Packets }),
	}
}

// readCAs reads a PEM file of private CAs: by themselves, and together with the
// system's. Both are nil without a file.
func readCAs(file string) (private, all *x509.CertPool, err error) {
	if file == "" {
		return nil, nil, nil
	}
	b, err := os.ReadFile(file) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, nil, err
	}
	private = x509.NewCertPool()
	if !private.AppendCertsFromPEM(b) {
		return nil, nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	if all, err = x509.SystemCertPool(); err != nil {
		all = x509.NewCertPool()
	}
	all.AppendCertsFromPEM(b)
	return private, all, nil
}

// maxAnswers is of how many cameras the newest unreadable answer is kept, each
// at most 64 KiB.
const maxAnswers = 256

// answers keeps what cameras said that the gateway could not read, for whoever
// is to find out why.
type answers struct {
	dir string
	log *slog.Logger

	mu sync.Mutex
}

// keep writes one camera's newest answer. A camera's id may be any text: its
// hash names the file, and its first line says whose it is.
func (a *answers) keep(camera, what string, b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.write(camera, what, b); err != nil {
		a.log.Warn("an unreadable answer of a camera cannot be kept", "camera", camera, "error", err)
	}
}

func (a *answers) write(camera, what string, b []byte) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(camera))
	path := filepath.Join(a.dir, hex.EncodeToString(sum[:8])+".txt")
	if _, err := os.Stat(path); err != nil {
		files, err := os.ReadDir(a.dir)
		if err != nil {
			return err
		}
		if len(files) >= maxAnswers {
			return nil // enough to see what is wrong with a fleet
		}
	}
	return os.WriteFile(path, fmt.Appendf(nil, "camera %q, answer to %s:\n%s", camera, what, b), 0o600)
}
