package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// baseline is a way to watch cameras that users pick: one ffmpeg process for
// each.
type baseline struct {
	name          string
	before, after []string // arguments before and after the input
}

var baselines = []baseline{
	{"ffmpeg a camera, key frames", []string{"-skip_frame", "nokey"}, nil},
	{"ffmpeg a camera, all frames to 5 fps", nil, []string{"-vf", "fps=5"}},
}

// baselineRow is what one baseline cost.
type baselineRow struct {
	Name    string  `json:"name"`
	Cameras int     `json:"cameras"`
	CPU     float64 `json:"cpu_ms"`
	PSS     int64   `json:"pss_bytes"`
}

const ffmpegWarm = 6 * time.Second // until every process shows pictures

// run starts a process for every camera of the city, and measures them.
func (b baseline) run(ctx context.Context, stderr io.Writer, file string, lasts time.Duration) (baselineRow, error) {
	cameras, err := readBenchCameras(file)
	if err != nil {
		return baselineRow{}, err
	}
	fmt.Fprintf(stderr, "%s: %d processes …\n", b.name, len(cameras))
	row := baselineRow{Name: b.name, Cameras: len(cameras)}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var pids []int
	for _, c := range cameras {
		cmd, err := b.command(ctx, c)
		if err != nil {
			return row, err
		}
		if err := cmd.Start(); err != nil {
			return row, fmt.Errorf("the baselines need ffmpeg (apt install ffmpeg): %w", err)
		}
		pids = append(pids, cmd.Process.Pid)
		wg.Go(func() { _ = cmd.Wait() }) // it is killed
	}
	if err := rest(ctx, ffmpegWarm); err != nil {
		return row, err
	}
	before, err := sumUsage(pids)
	if err != nil {
		return row, err
	}
	begin := time.Now()
	if err := rest(ctx, lasts); err != nil {
		return row, err
	}
	after, err := sumUsage(pids)
	if err != nil {
		return row, err
	}
	row.CPU = (after.CPU - before.CPU).Seconds() * 1e3 / time.Since(begin).Seconds() / float64(len(pids))
	row.PSS = after.PSS / int64(len(pids))
	return row, nil
}

func (b baseline) command(ctx context.Context, c benchCamera) (*exec.Cmd, error) {
	u, err := url.Parse(c.sub)
	if err != nil {
		return nil, err
	}
	u.User = url.UserPassword(c.username, c.password) // of a simulated camera
	args := append([]string{"-v", "quiet", "-nostdin", "-rtsp_transport", "tcp", "-threads", "1"}, b.before...)
	args = append(append(args, "-i", u.String(), "-an"), b.after...)
	cmd := exec.CommandContext(ctx, "ffmpeg", append(args, "-f", "null", "-")...) //nolint:gosec // arguments are ours
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, nil
}

// sumUsage adds up what some processes have used, all of which must run.
func sumUsage(pids []int) (sum usage, err error) {
	for _, pid := range pids {
		u, err := usageOf(pid)
		if err != nil {
			return sum, errors.Join(errors.New("a process of the baseline has ended"), err)
		}
		sum = sum.plus(u)
	}
	return sum, nil
}
