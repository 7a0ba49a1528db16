package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
)

// newBenchSession is the patrol without anybody who looks: the product's own
// streams and rtsp in a process of their own, so that what ingest costs is
// measured alone.
func newBenchSession() *cobra.Command {
	var file, mode string
	var oneHost bool
	cmd := &cobra.Command{
		Use: "session", Short: "Patrol cameras and throw the samples away (internal: a child of the bench)", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cameras, err := readBenchCameras(file)
			if err != nil {
				return err
			}
			return benchSession(cmd.Context(), cmd.OutOrStdout(), cameras, sessionOptions{mode: inventory.Mode(mode), oneHost: oneHost})
		},
	}
	cmd.Flags().StringVar(&file, "inventory", "", "CSV file of the cameras")
	cmd.Flags().StringVar(&mode, "mode", "auto", "auto, resident or visit")
	cmd.Flags().BoolVar(&oneHost, "one-host", false, "the cameras share an address and need not wait for each other")
	return cmd
}

type sessionOptions struct {
	mode    inventory.Mode
	oneHost bool
}

// forgetter takes samples and says of each that it was looked at.
type forgetter struct{ manager *streams.Manager }

// Offer implements streams.Sink.
func (f *forgetter) Offer(s streams.Sample) {
	f.manager.Report(streams.Verdict{Camera: s.Camera, At: s.Unit.Received, Analysed: time.Now()})
}

func benchSession(ctx context.Context, stdout io.Writer, cameras []benchCamera, o sessionOptions) error {
	opener, err := rtsp.New(rtsp.Options{})
	if err != nil {
		return err
	}
	p := DefaultConfig().Patrol
	if o.oneHost {
		p.DialsPerHost = p.Dials
	}
	often := 0.0
	for _, c := range cameras {
		often += 1 / c.interval.Seconds()
	}
	p.DialRate = max(p.DialRate, dialsFor*often)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	sink := &forgetter{}
	sink.manager, err = streams.New(streams.Options{
		Opener: opener, Sink: sink,
		Budget: streams.Budget{
			Dials: p.Dials, DialsPerHost: p.DialsPerHost, DialRate: p.DialRate, Sessions: p.Sessions, MediaBytes: int64(p.MediaMemory),
		},
		BackoffMin: time.Duration(p.BackoffMin), BackoffMax: time.Duration(p.BackoffMax), Registerer: registry,
	})
	if err != nil {
		return err
	}
	snapshot := inventory.Snapshot{Revision: 1}
	for _, c := range cameras {
		snapshot.Cameras = append(snapshot.Cameras, inventory.Camera{
			ID: c.id, Streams: inventory.Streams{Sub: c.sub},
			Login:  inventory.Login{Username: c.username, Password: inventory.Secret(c.password)},
			Patrol: inventory.Patrol{Tier: inventory.TierNormal, Interval: c.interval, Mode: o.mode},
		})
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	a := &app{registry: registry, manager: sink.manager}
	h := &health{registry: registry, cameras: func(string) prometheus.Gatherer {
		r := prometheus.NewRegistry()
		r.MustRegister(&cameraCollector{inventory: snapshot, manager: sink.manager})
		return r
	}}
	sink.manager.Reconcile(snapshot)
	if err := json.NewEncoder(stdout).Encode(map[string]string{"metrics": "http://" + ln.Addr().String()}); err != nil {
		return errors.Join(err, ln.Close())
	}
	return runStages(ctx, slog.New(slog.DiscardHandler), []stage{
		{"streams", sink.manager.Run},
		{"metrics", a.serveHTTP(ln, h.server())},
	})
}
