package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/probe"
)

// cameraPassword is the environment variable that may hold a camera's password.
const cameraPassword = "PATROL_CAMERA_PASSWORD" //nolint:gosec // it is the name of one

// decodeWithin bounds the start of a worker and one picture.
const decodeWithin = 20 * time.Second

func newCameraProbe(f *clientFlags) *cobra.Command {
	var o probe.Options
	var user, passwordFile, transport, pin, save string
	var noSave bool
	cmd := &cobra.Command{
		Use: "probe URL", Short: "Look at one camera: reach, login, tracks, stream, first picture, known faults",
		Args: oneArg("URL, such as rtsp://192.0.2.7/stream or http://192.0.2.7/still.jpg"),
		Long: `Look at one camera: reach, login, tracks, stream, first picture, known faults.

The camera is asked directly, not through the gateway. The exit code is 0 when a
picture was taken and decoded, else 1.

The password is read from --password-file, from the environment variable
` + cameraPassword + `, or at a prompt; it is never part of the address.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.output != "table" && f.output != "json" {
				return usageError{fmt.Errorf("no such output %q (want table or json)", f.output)}
			}
			if _, err := probe.Parse(args[0]); err != nil {
				return usageError{err}
			}
			o.URL, o.Link.Transport = args[0], inventory.Transport(transport)
			switch o.Link.Transport {
			case inventory.TransportAuto, inventory.TransportTCP, inventory.TransportUDP:
			default:
				return usageError{fmt.Errorf("no such transport %q (want auto, tcp or udp)", transport)}
			}
			o.Link.Pin = strings.ToLower(strings.ReplaceAll(pin, ":", ""))
			if o.Link.Pin != "" && (len(o.Link.Pin) != 64 || strings.Trim(o.Link.Pin, "0123456789abcdef") != "") {
				return usageError{errors.New("--pin wants the SHA-256 of a certificate, 64 hexadecimal digits")}
			}
			if o.For < time.Second || o.For > 10*time.Minute || o.Interval < time.Second || o.Interval > 24*time.Hour {
				return usageError{errors.New("--for wants 1s to 10m, and --interval 1s to 24h")}
			}
			if user != "" || passwordFile != "" {
				password, err := readPassword(cmd, passwordFile)
				if err != nil {
					return err
				}
				o.Login = inventory.Login{Username: user, Password: password}
			}
			o.Decode = decodeInWorker
			report := probe.Run(cmd.Context(), o)
			if p := report.Picture; p != nil && !noSave {
				if err := os.WriteFile(save, p.JPEG, 0o600); err != nil {
					return fmt.Errorf("save the picture: %w", err)
				}
				p.File = save
			}
			var err error
			if f.output == "json" {
				err = writeJSON(cmd.OutOrStdout(), report)
			} else {
				err = report.WriteText(cmd.OutOrStdout())
			}
			if err == nil && report.Reason != streams.ReasonNone {
				return fmt.Errorf("%s: no picture was obtained", report.Reason)
			}
			return err
		},
	}
	p := cmd.Flags()
	p.StringVar(&user, "user", "", "the camera's user name")
	p.StringVar(&passwordFile, "password-file", "", "file whose first line is the camera's password")
	p.StringVar(&transport, "transport", string(inventory.TransportAuto), "auto (TCP, and UDP where it is refused), tcp or udp")
	p.StringVar(&pin, "pin", "", "SHA-256 of the certificate to trust, for rtsps and https")
	p.DurationVar(&o.For, "for", 10*time.Second, "how long to watch the stream")
	p.DurationVar(&o.Interval, "interval", 15*time.Second, "how often the gateway is to look")
	p.StringVar(&save, "save", "first-picture.jpg", "where to save the first picture (JPEG)")
	p.BoolVar(&noSave, "no-save", false, "save no picture")
	return cmd
}

// maxPasswordFile bounds what is read of a password, in bytes.
const maxPasswordFile = 4 << 10

// readPassword reads a camera's password from a file, the environment, or
// whoever sits there.
func readPassword(cmd *cobra.Command, file string) (inventory.Secret, error) {
	if file != "" {
		in, err := os.Open(file) //nolint:gosec // the user named it
		if err != nil {
			return "", fmt.Errorf("the camera's password: %w", err)
		}
		defer in.Close()
		return firstLine(in)
	}
	if p, ok := os.LookupEnv(cameraPassword); ok {
		return inventory.Secret(p), nil
	}
	if in, ok := cmd.InOrStdin().(*os.File); ok {
		if was, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS); err == nil {
			fmt.Fprint(cmd.ErrOrStderr(), "password of the camera: ")
			defer fmt.Fprintln(cmd.ErrOrStderr())
			quiet := *was
			quiet.Lflag &^= unix.ECHO
			if err := unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, &quiet); err != nil {
				return "", fmt.Errorf("hide what is typed: %w; use --password-file", err)
			}
			defer func() { _ = unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, was) }()
		}
	}
	return firstLine(cmd.InOrStdin())
}

func firstLine(in io.Reader) (inventory.Secret, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxPasswordFile)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("the camera's password: %w", err)
	}
	return inventory.Secret(strings.TrimRight(line, "\r\n")), nil
}

// decodeInWorker decodes a key unit in a child process, as the gateway does:
// what a camera sends is never decoded here.
func decodeInWorker(ctx context.Context, u streams.Unit) (probe.Picture, error) {
	self, err := os.Executable()
	if err != nil {
		return probe.Picture{}, err
	}
	results := make(chan detect.Result, 1)
	verdicts := make(chan streams.Verdict, 1)
	failed := make(chan error, 1)
	pool, err := worker.New(worker.Options{
		Command: []string{self, "worker"}, Workers: 1, Timeout: 5 * time.Second,
		Reporter: detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil }),
		Seen: func(r detect.Result) {
			select {
			case results <- r:
			default:
			}
		},
		Verdict: func(v streams.Verdict) {
			select {
			case verdicts <- v:
			default:
			}
		},
	})
	if err != nil {
		return probe.Picture{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, decodeWithin)
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := pool.Run(running); err != nil {
			failed <- err
		}
	}()
	defer func() {
		stop()
		<-ended
		cancel()
	}()
	pool.Reconcile([]detect.Config{{Camera: "probe"}})
	pool.Offer(streams.Sample{Camera: "probe", Seq: 1, Unit: u})
	select {
	case r := <-results:
		return pictureOf(r)
	case v := <-verdicts:
		select {
		case r := <-results:
			return pictureOf(r)
		case <-time.After(time.Second): // a good picture has both
		}
		return probe.Picture{}, fmt.Errorf("%s: %s", v.Reason, v.Detail)
	case err := <-failed:
		return probe.Picture{}, err
	case <-ctx.Done():
		return probe.Picture{}, errors.New("the worker took too long")
	}
}

func pictureOf(r detect.Result) (probe.Picture, error) {
	if r.Undecodable != "" || len(r.Still) == 0 {
		return probe.Picture{}, errors.New(r.Undecodable)
	}
	// The worker made this one itself, and its header alone is read.
	c, err := jpeg.DecodeConfig(bytes.NewReader(r.Still))
	if err != nil {
		return probe.Picture{}, fmt.Errorf("the worker's picture: %w", err)
	}
	return probe.Picture{Width: c.Width, Height: c.Height, JPEG: r.Still}, nil
}
