package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"videopatrol/wall"
)

// Files in the data folder.
const (
	recordFile     = "patrol.db"
	secretKeyFile  = "secret.key"
	linkKeyFile    = "link.key"
	adminTokenFile = "admin.token"
	auditKeyFile   = "audit.key"
	auditPubFile   = "audit.pub"
)

func newServe() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "serve --config FILE", Short: "Run the gateway", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usageError{errors.New("serve wants --config FILE; 'patrol config default' prints every key")}
			}
			cfg, err := LoadConfig(file)
			if err != nil {
				return err
			}
			level := new(slog.LevelVar)
			log := newLogger(cfg.Log, level, cmd.ErrOrStderr())
			a, err := newApp(cmd.Context(), appOptions{Config: cfg, Log: log})
			if err != nil {
				return err
			}
			for _, c := range a.First {
				fmt.Fprintf(cmd.ErrOrStderr(), "first start: user %s (%s), password %s — shown this once\n", c.Name, c.Role, c.Password)
			}
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			r, err := newReloader(a, file, level)
			if err != nil {
				return errors.Join(err, a.close())
			}
			go r.run(cmd.Context(), reload)
			if err := writeReady(cmd.OutOrStdout(), a); err != nil {
				return err
			}
			return a.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file")
	return cmd
}

// writeReady tells where the gateway listens, as one JSON line, and tells the
// same to systemd.
func writeReady(w io.Writer, a *app) error {
	line, err := json.Marshal(map[string]string{"wall": a.WallURL(), "metrics": a.MetricsURL()})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s\n", line); err != nil {
		return err
	}
	return notifySystemd("READY=1")
}

// notifySystemd tells the service manager how the service fares (sd_notify(3)),
// if there is one that listens.
func notifySystemd(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "unixgram", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}

func newLogger(c LogConfig, level *slog.LevelVar, w io.Writer) *slog.Logger {
	_ = level.UnmarshalText([]byte(c.Level)) // checked with the configuration
	file, ok := w.(*os.File)
	terminal := false
	if ok {
		info, err := file.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if c.Format == "text" || c.Format == "auto" && terminal {
		return slog.New(tint.NewHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !terminal}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

// dataKey returns the 32 bytes that a file of the data folder holds, made at
// the first start.
func dataKey(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, 32)
		rand.Read(key)
		return key, writeFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
	}
	if err != nil {
		return nil, err
	}
	return decodeKey(string(b), path)
}

func decodeKey(text, where string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s: want 32 bytes as base64 (openssl rand -base64 32)", where)
	}
	return key, nil
}

// writeFile writes a small private file so that after a crash it is whole or
// not there.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	// What a key encrypts must not outlive the file's entry in its folder.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// adminToken issues a token for the administrator's command line and keeps it
// in the data folder.
func adminToken(ctx context.Context, accounts *wall.Accounts, dir, admin string) error {
	_, secret, err := accounts.IssueToken(ctx, admin, "command line on this machine", 366*24*time.Hour)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, adminTokenFile), []byte(secret+"\n"))
}
