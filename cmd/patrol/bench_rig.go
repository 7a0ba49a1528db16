package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"videopatrol/wall"
)

// cityOptions say which simulated city a bench starts.
type cityOptions struct {
	cameras  int
	hosts    int
	seed     uint64
	interval time.Duration
	args     []string // further ones of citysim serve
	away     *veth    // where it runs, nil beside the gateway
}

// startBenchCity starts a simulated city whose cameras are spread over hosts.
func startBenchCity(ctx context.Context, stderr io.Writer, o cityOptions) (*city, error) {
	fmt.Fprintf(stderr, "starting a city of %d cameras on %d hosts (scenes are drawn once and kept) …\n", o.cameras, max(o.hosts, 1))
	more := []string{"--seed", strconv.FormatUint(o.seed, 10)}
	if o.hosts > 1 {
		more = append(more, "--hosts", strconv.Itoa(o.hosts))
	}
	args := append([]string{"--script", "none"}, o.args...)
	c, err := startCityIn(ctx, progress{stderr}, o.away, o.cameras, append(args, more...)...)
	if err != nil {
		return nil, err
	}
	c.interval, c.more = o.interval, more
	return c, nil
}

// control is the address of the city's stills, counters and outages.
func (c *city) control() (string, error) {
	host, port, err := net.SplitHostPort(c.listen)
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(port)
	return "http://" + net.JoinHostPort(host, strconv.Itoa(n+1)), err
}

// level is how many there are of something, and the most there were at once.
type level struct {
	Now  int64 `json:"now"`
	Peak int64 `json:"peak"`
}

// cityCounters are what the simulated city has seen; see its GET /counters.
type cityCounters struct {
	Dials      int64 `json:"dials"`
	Open       level `json:"open"`
	Handshakes level `json:"handshakes"`
	Playing    level `json:"playing"`
	Plays      int64 `json:"plays"`
	Teardowns  int64 `json:"teardowns"`
	Bytes      int64 `json:"bytes"`
	Hosts      []struct {
		Host       string `json:"host"`
		Handshakes level  `json:"handshakes"`
	} `json:"hosts"`
}

// busiest is the most handshakes that were in flight with one host.
func (c cityCounters) busiest() (peak int64) {
	for _, h := range c.Hosts {
		peak = max(peak, h.Handshakes.Peak)
	}
	return peak
}

func (c *city) counters(ctx context.Context) (n cityCounters, err error) {
	return n, c.ask(ctx, http.MethodGet, "/counters", nil, &n)
}

func (c *city) resetCounters(ctx context.Context) error {
	return c.ask(ctx, http.MethodPost, "/counters/reset", nil, nil)
}

// outage takes every host away for a while.
func (c *city) outage(ctx context.Context, lasts time.Duration, how string) error {
	return c.ask(ctx, http.MethodPost, "/outage", map[string]string{"hosts": "all", "for": lasts.String(), "how": how}, nil)
}

func (c *city) ask(ctx context.Context, method, path string, in, out any) error {
	address, err := c.control()
	if err != nil {
		return err
	}
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, address+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the simulated city: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("the simulated city: %s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(b))
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// gatewayOptions say how a bench's gateway is configured.
type gatewayOptions struct {
	mode string // "" or auto leaves the gateway its own choice
	// oneHost tells that all cameras share an address, which must not make
	// them wait for each other.
	oneHost bool
	// often is how many samples a second the cameras are to give: the budget of
	// dials is made to allow it with room to spare, as whoever asks for so many
	// would. 0 leaves the default.
	often float64
	// byClock leaves the schedule alone to say when a camera is looked at: scenes
	// that stir hasten nothing, so that two runs can be compared by their samples.
	byClock bool
}

// dialsFor is the dial budget of a bench, for each sample that is wanted.
const dialsFor = 1.3

// config is the gateway's configuration over a data folder.
func (o gatewayOptions) config(data string) string {
	var patrol []string
	if o.mode != "" && o.mode != "auto" {
		patrol = append(patrol, "mode: "+o.mode)
	}
	if o.byClock {
		patrol = append(patrol, "stir: false")
	}
	if o.oneHost {
		patrol = append(patrol, fmt.Sprintf("dials_per_host: %d", DefaultConfig().Patrol.Dials))
	}
	if rate := dialsFor * o.often; rate > DefaultConfig().Patrol.DialRate {
		patrol = append(patrol, fmt.Sprintf("dial_rate: %.0f", rate))
	}
	return fmt.Sprintf(`data: %s
wall: {listen: 127.0.0.1:0}
metrics: {listen: 127.0.0.1:0}
canary: {enabled: false}
log: {level: error}
patrol: {%s}
`, data, strings.Join(patrol, ", "))
}

// gatewayChild is a gateway that runs as a child, with a city imported.
type gatewayChild struct {
	*child
	*scraper
	api *client
}

// startGateway runs `patrol serve` over a folder, as a user would.
func startGateway(ctx context.Context, stderr io.Writer, dir string, o gatewayOptions) (*gatewayChild, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "patrol.yaml")
	if err := os.WriteFile(file, []byte(o.config(filepath.Join(dir, "data"))), 0o600); err != nil {
		return nil, err
	}
	p, err := startChild(ctx, withoutLogins{stderr}, self, "serve", "--config", file)
	if err != nil {
		return nil, err
	}
	address, _ := p.Ready["wall"].(string)
	metrics, _ := p.Ready["metrics"].(string)
	f := clientFlags{server: address, tokenFile: filepath.Join(dir, "data", adminTokenFile), output: "json"}
	g := &gatewayChild{child: p, scraper: newScraper(metrics)}
	if g.api, err = f.client(); err != nil {
		p.Stop()
		return nil, err
	}
	return g, nil
}

// withoutLogins leaves the first start's passwords out: nobody logs in.
type withoutLogins struct{ w io.Writer }

func (f withoutLogins) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("first start: ")) {
			continue
		}
		if _, err := f.w.Write(line); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// importCity imports a city through the API, and returns when that was done.
func (g *gatewayChild) importCity(ctx context.Context, c *city) (time.Time, error) {
	for _, format := range []string{"geojson", "csv"} {
		b, err := c.inventory(ctx, format)
		if err != nil {
			return time.Time{}, err
		}
		var report wall.ImportReport
		q := url.Values{"format": {format}, "crs": {"wgs84"}}
		if err := g.api.do(ctx, http.MethodPost, "/inventory/imports", q, importTypes[format], bytes.NewReader(b), &report); err != nil {
			return time.Time{}, fmt.Errorf("importing the city's %s: %w", format, err)
		}
		if report.Rejected > 0 {
			return time.Time{}, fmt.Errorf("the city's %s has %d rejected rows", format, report.Rejected)
		}
	}
	return time.Now(), nil
}

// family is a process with its children, as the gateway and its workers are.
type family struct {
	Parent  usage
	Workers map[int]usage
	Sockets int64 // bytes in socket buffers of the parent
}

func familyOf(pid int) (f family, err error) {
	if f.Parent, err = usageOf(pid); err != nil {
		return f, err
	}
	pids, err := childrenOf(pid)
	if err != nil {
		return f, err
	}
	f.Workers = map[int]usage{}
	for _, p := range pids {
		if u, err := usageOf(p); err == nil { // a worker may have ended meanwhile
			f.Workers[p] = u
		}
	}
	f.Sockets, err = socketMemory(pid)
	return f, err
}

// workersSince adds up what the workers used since an earlier reading.
func (f family) workersSince(before family) (sum usage) {
	for pid, u := range f.Workers {
		sum = sum.plus(u.since(before.Workers[pid]))
	}
	return sum
}

// memory is what the whole family holds, bytes.
func (f family) memory() int64 {
	sum := f.Parent.PSS + f.Sockets
	for _, u := range f.Workers {
		sum += u.PSS
	}
	return sum
}

// benchDir is a folder for one run.
func benchDir() (string, func(), error) {
	dir, err := os.MkdirTemp("", "patrol-bench-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// writeInventory writes a city's cameras for a measuring child.
func writeInventory(ctx context.Context, c *city, dir string) (string, error) {
	b, err := c.inventory(ctx, "csv")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "cameras.csv")
	return file, os.WriteFile(file, b, 0o600)
}

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

var errNoPictures = errors.New("no camera gave a picture")
