package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTicks is USER_HZ, which is 100 on every Linux that Go runs on.
const clockTicks = 100

// usage is what a process has used of the machine.
type usage struct {
	CPU time.Duration // user and system
	PSS int64         // bytes
	// Calls are those of the read(2) and write(2) families;
	// Switches how often a thread gave the processor up.
	Calls, Switches int64
}

// plus adds what another process has used.
func (u usage) plus(o usage) usage {
	return usage{u.CPU + o.CPU, u.PSS + o.PSS, u.Calls + o.Calls, u.Switches + o.Switches}
}

// since is what was used since an earlier reading; memory is what it is now.
func (u usage) since(o usage) usage {
	return usage{u.CPU - o.CPU, u.PSS, u.Calls - o.Calls, u.Switches - o.Switches}
}

// usageOf reads one process's share from /proc.
func usageOf(pid int) (usage, error) {
	var u usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The command's name may hold spaces; the fields begin after its bracket.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 13 {
		return u, errors.New("/proc/PID/stat is too short")
	}
	for _, s := range f[11:13] { // utime and stime, fields 14 and 15 of proc(5)
		ticks, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(ticks) * time.Second / clockTicks
	}
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return u, err
	}
	u.PSS = field(rollup, "Pss:") << 10
	return u, u.readCalls(pid)
}

// readCalls reads the calls and switches of every thread. Threads that have
// ended count no more; Go ends few.
func (u *usage) readCalls(pid int) error {
	io, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return err
	}
	u.Calls = field(io, "syscr:") + field(io, "syscw:")
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return err
	}
	for _, t := range threads {
		status, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has ended meanwhile
		}
		u.Switches += field(status, "voluntary_ctxt_switches:") + field(status, "nonvoluntary_ctxt_switches:")
	}
	return nil
}

// field is the number after a name in one of the files of /proc, or 0.
func field(b []byte, name string) int64 {
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(v); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				return n
			}
		}
	}
	return 0
}

// childrenOf lists the direct children of a process.
func childrenOf(pid int) ([]int, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has ended meanwhile
		}
		for s := range strings.FieldsSeq(string(b)) {
			if p, err := strconv.Atoi(s); err == nil {
				pids = append(pids, p)
			}
		}
	}
	return pids, nil
}

// machineCPU is the processor time that the whole machine has spent, idle and
// waiting left out.
func machineCPU() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	var ticks int64
	for i, s := range f[1:min(len(f), 9)] { // user nice system idle iowait irq softirq steal
		if i == 3 || i == 4 || i == 7 {
			continue
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// sibling finds a program that is built beside this one.
func sibling(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if path, err = exec.LookPath(name); err != nil {
		return "", fmt.Errorf("no %s beside this program and none on the PATH; 'make build' builds both", name)
	}
	return path, nil
}

// child is a program that this one has started.
type child struct {
	cmd   *exec.Cmd
	Ready map[string]any // the JSON line that it printed when it was ready
	done  chan struct{}  // closed once it has ended
	err   error          // how, from then on
}

// startChild starts a program that prints one JSON line once it is ready, and
// waits for that line. The program gets SIGTERM when ctx ends.
func startChild(ctx context.Context, stderr io.Writer, name string, args ...string) (*child, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	cmd.Stderr = stderr
	// Ctrl-C reaches this program only, which ends its children in order; should
	// it die first, they get the signal from the kernel.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, done: make(chan struct{})}
	started, drained := make(chan error, 1), make(chan struct{})
	go func() {
		// The kernel's signal comes when the thread ends that started the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			<-drained
			c.err = cmd.Wait()
		}
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	r := bufio.NewReader(out)
	line, err := r.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &c.Ready)
	}
	go func() {
		_, _ = io.Copy(io.Discard, r)
		close(drained)
	}()
	if err != nil {
		_ = cmd.Process.Kill()
		<-c.done
		return nil, fmt.Errorf("%s did not become ready: %w", filepath.Base(name), errors.Join(err, c.err))
	}
	return c, nil
}

// Stop ends the program and waits for it.
func (c *child) Stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(15*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	<-c.done // it was asked to end: how it did matters no more
}
