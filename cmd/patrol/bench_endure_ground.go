package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"videopatrol/internal/pgserver"
)

// diskImage is a file system of our own in a file, mounted. The process is in a
// mount namespace of its own (see inNamespace): whatever ends it, the mount
// and its loop device go with it.
type diskImage struct {
	file, mount string
}

// newImage makes and mounts an ext4 file system of so many bytes.
func newImage(ctx context.Context, dir string, size int64) (*diskImage, error) {
	m := &diskImage{file: filepath.Join(dir, "disk.img"), mount: filepath.Join(dir, "disk")}
	f, err := os.Create(m.file)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(size), f.Close(), os.Mkdir(m.mount, 0o755)); err != nil {
		return nil, err
	}
	if err := command(ctx, "mkfs.ext4", "-q", "-m", "0", m.file); err != nil {
		return nil, fmt.Errorf("this machine makes no ext4 file system in a file: %w", err)
	}
	if err := m.attach(ctx); err != nil {
		return nil, fmt.Errorf("this machine mounts no file system from a file (root and loop devices are needed): %w", err)
	}
	return m, nil
}

func (m *diskImage) attach(ctx context.Context) error {
	return command(ctx, "mount", "-o", "loop", m.file, m.mount)
}

func (m *diskImage) detach(ctx context.Context) error { return command(ctx, "umount", m.mount) }

// cut loses at once all that the file system has not committed to its journal,
// as a power cut does. Until it is mounted anew it takes and gives nothing.
func (m *diskImage) cut() error {
	const (
		shutdown   = 0x8004587d // EXT4_IOC_SHUTDOWN
		noLogFlush = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
	)
	dir, err := os.Open(m.mount)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), shutdown, noLogFlush); err != nil {
		return fmt.Errorf("cut the power of %s: %w", m.mount, err)
	}
	return nil
}

// fill takes every block that is left, and returns what gives them back.
func (m *diskImage) fill() (free func() error, err error) {
	f, err := os.Create(filepath.Join(m.mount, "ballast"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return nil, err
	}
	for at, step := int64(0), int64(fs.Bfree)*fs.Bsize; step >= fs.Bsize; {
		switch err := unix.Fallocate(int(f.Fd()), 0, at, step); {
		case err == nil:
			at += step
		case errors.Is(err, unix.ENOSPC):
			step /= 2
		default:
			return nil, errors.Join(fmt.Errorf("fill %s: %w", m.mount, err), os.Remove(f.Name()))
		}
	}
	return func() error { return os.Remove(f.Name()) }, nil
}

// command runs a program of the system; its error says what that said.
func command(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// ground is what the record stands on: a folder, on a disk of its own where the
// fault is the disk's, and a PostgreSQL server where that keeps the record.
type ground struct {
	engine string
	disk   *diskImage // nil: the machine's
	folder string     // of pictures, and of the record
	server *pgserver.Server
	// database is the address of the record.
	database string
}

// newGround makes what an engine's record is to stand on. close takes it down
// whatever happened meanwhile.
func newGround(ctx context.Context, engine, dir string, size int64) (*ground, error) {
	g := &ground{engine: engine, folder: filepath.Join(dir, "data")}
	if size > 0 {
		var err error
		if g.disk, err = newImage(ctx, dir, size); err != nil {
			return nil, err
		}
		g.folder = filepath.Join(g.disk.mount, "data")
	}
	if err := os.Mkdir(g.folder, 0o755); err != nil {
		return g, err
	}
	g.database = "sqlite:" + filepath.Join(g.folder, "patrol.db")
	if engine == "sqlite" {
		return g, syncFolder(g.folder)
	}
	if err := os.Mkdir(g.postgres(), 0o700); err != nil {
		return g, err
	}
	if err := g.serve(ctx); err != nil {
		return g, err
	}
	address, err := g.server.NewDatabase(ctx)
	g.database = address
	return g, errors.Join(err, syncFolder(g.folder))
}

func (g *ground) postgres() string { return filepath.Join(g.folder, "postgres") }

// serve starts the server over the data that is there, if there is to be one.
func (g *ground) serve(ctx context.Context) (err error) {
	if g.engine == "sqlite" || g.server != nil {
		return nil
	}
	if g.server, err = pgserver.StartIn(ctx, g.postgres()); err != nil {
		g.server = nil
	}
	return err
}

// kill ends the server by SIGKILL, if there is one.
func (g *ground) kill() error {
	if g.server == nil {
		return nil
	}
	err := g.server.Kill()
	g.server = nil
	return err
}

// revive starts a server anew that has ended by itself, as the machine's
// service manager does.
func (g *ground) revive(ctx context.Context) error {
	if g.server == nil || g.server.Running() {
		return nil
	}
	return errors.Join(g.kill(), g.serve(ctx))
}

// again lets a machine whose power was cut come up again.
func (g *ground) again(ctx context.Context) error {
	if err := g.disk.detach(ctx); err != nil {
		return err
	}
	if err := g.disk.attach(ctx); err != nil {
		return err
	}
	return g.serve(ctx)
}

func (g *ground) close() error {
	if g == nil {
		return nil
	}
	err := g.kill()
	if g.disk != nil {
		err = errors.Join(err, g.disk.detach(context.Background())) // also when the run was called off
	}
	return err
}

// syncFolder brings a folder and what lies above it on its disk to the disk.
func syncFolder(path string) error {
	for range 2 {
		dir, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
			return err
		}
		path = filepath.Dir(path)
	}
	return nil
}
