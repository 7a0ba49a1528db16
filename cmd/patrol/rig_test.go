package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/deliver/webhook"
	"videopatrol/inventory"
	"videopatrol/inventory/sqldb/sqldbtest"
	"videopatrol/wall"
)

var (
	soakTime = flag.Duration("soak", 0, "how long TestSoak runs; 0 skips it")
	seedFlag = flag.Int64("seed", 0, "seed of the scripts by chance; 0 takes the clock")
	crashes  = flag.Int("crashes", 3, "how often TestCrash kills the gateway")
)

// bin is the folder of the programs under test, built once.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "patrol-bin-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		build := exec.Command("go", "build", "-o", dir, "videopatrol/cmd/patrol", "videopatrol/cmd/citysim")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
			return 1
		}
		return sqldbtest.M{M: m}.Run()
	}())
}

// process is a program under test. Its standard error goes to the test's log
// when the test fails.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	ready  map[string]any
	stderr *bytes.Buffer
	mu     sync.Mutex
	done   chan struct{}
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// start runs a program until it has printed its ready line.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(filepath.Join(bin, name), args...), stderr: &bytes.Buffer{}, done: make(chan struct{})}
	p.cmd.Stderr = p
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			log := p.log()
			t.Logf("%s said:\n%s", name, log[max(0, len(log)-8000):])
		}
	})
	r := bufio.NewReader(out)
	line, err := r.ReadBytes('\n')
	go func() {
		_, _ = io.Copy(io.Discard, r)
		_ = p.cmd.Wait()
		close(p.done)
	}()
	if err != nil || json.Unmarshal(line, &p.ready) != nil {
		<-p.done
		t.Fatalf("%s did not become ready: %v\n%s", name, err, p.log())
	}
	return p
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.t.Errorf("%s did not end within 20 s of SIGTERM", filepath.Base(p.cmd.Path))
		p.kill()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// rig is a simulated city, a gateway that patrols it and a dispatch desk.
type rig struct {
	t       *testing.T
	dir     string
	config  string
	cameras int
	seed    int64
	city    *process
	gateway *process
	desk    *desk
	token   string // the administrator's
	officer *http.Client
	wall    string
	login   map[string]string // first-start passwords by user
}

type rigOptions struct {
	cameras  int
	interval time.Duration
	script   string // YAML, or none, demo, random:SEED
	faults   string // YAML
	seed     int64
	// database is the address of the record; "" is SQLite in the data folder.
	database string
	// edit changes a camera's row of the inventory, by column, before the import.
	edit func(index int, row map[string]string)
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), cameras: o.cameras, seed: max(o.seed, 1), desk: newDesk(t)}
	args := []string{
		"serve", "--listen", "127.0.0.1:0", "--cameras", strconv.Itoa(o.cameras),
		"--seed", strconv.FormatInt(r.seed, 10), "--ledger", r.path("ledger.jsonl"),
	}
	for flag, text := range map[string]string{"--script": o.script, "--faults": o.faults} {
		switch {
		case text == "":
		case strings.Contains(text, "\n"):
			file := r.path(strings.Trim(flag, "-") + ".yaml")
			r.write(file, text)
			args = append(args, flag, file)
		default:
			args = append(args, flag, text)
		}
	}
	r.city = start(t, "citysim", args...)
	r.write(r.path("desk.secret"), r.desk.secret)
	// Clocks that run out and neighbours that merge would make what the tests
	// count depend on how long they take.
	routes, _, ok := strings.Cut(alerts.RoutesText, "\n# How long")
	if !ok {
		t.Fatal("the built-in routes have no clocks")
	}
	r.write(r.path("routes.yaml"), routes)
	r.config = r.path("patrol.yaml")
	r.write(r.config, fmt.Sprintf(`
data: %[1]s
database: {url: %[5]q}
wall: {listen: 127.0.0.1:0}
metrics: {listen: 127.0.0.1:0}
patrol: {backoff_min: 1s, backoff_max: 4s}
routes: %[4]s
sinks:
  - {name: desk, url: %[2]s, secrets: ["file:%[3]s"], allow: [127.0.0.0/8]}
  - {name: dead, url: "http://127.0.0.1:1/leads", secrets: ["file:%[3]s"], allow: [127.0.0.0/8]}
`, r.path("data"), r.desk.server.URL, r.path("desk.secret"), r.path("routes.yaml"), o.database))
	r.serve()
	for _, u := range [][2]string{{"geojson", "application/geo+json"}, {"csv", "text/csv"}} {
		var report wall.ImportReport
		file := r.inventory(u[0], "--interval", o.interval.String())
		if u[0] == "csv" && o.edit != nil {
			file = r.edited(file, o.edit)
		}
		r.admin(http.MethodPost, "/inventory/imports?format="+u[0], u[1], file, &report)
		if report.Rejected > 0 || report.New == 0 && u[0] == "csv" {
			t.Fatalf("import of the city's %s: %+v", u[0], report)
		}
	}
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) write(path, text string) {
	r.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

var firstStart = regexp.MustCompile(`user (\w+) \(\w+\), password (\S+)`)

// serve starts the gateway, for the first time or again.
func (r *rig) serve() {
	r.t.Helper()
	r.gateway = start(r.t, "patrol", "serve", "--config", r.config)
	r.wall, _ = r.gateway.ready["wall"].(string)
	if r.login == nil {
		r.login = map[string]string{}
		r.until(5*time.Second, "the passwords of the first start", func() bool {
			for _, m := range firstStart.FindAllStringSubmatch(r.gateway.log(), -1) {
				r.login[m[1]] = m[2]
			}
			return len(r.login) == 2
		})
		b, err := os.ReadFile(r.path("data/admin.token"))
		if err != nil {
			r.t.Fatal(err)
		}
		r.token = strings.TrimSpace(string(b))
	}
	jar, _ := cookiejar.New(nil)
	r.officer = &http.Client{Jar: jar, Timeout: 30 * time.Second}
	r.person(http.MethodPost, "/login", wall.LoginRequest{Username: "officer", Password: r.login["officer"]}, nil)
}

func (r *rig) inventory(format string, args ...string) io.Reader {
	r.t.Helper()
	listen, _ := r.city.ready["listen"].(string)
	args = append([]string{
		"inventory", "--cameras", strconv.Itoa(r.cameras), "--seed", strconv.FormatInt(r.seed, 10), "--format", format, "--listen", listen,
	}, args...)
	out, err := exec.Command(filepath.Join(bin, "citysim"), args...).Output()
	if err != nil {
		r.t.Fatalf("citysim inventory: %v", err)
	}
	return bytes.NewReader(out)
}

// edited changes the rows of a CSV file.
func (r *rig) edited(file io.Reader, edit func(index int, row map[string]string)) io.Reader {
	r.t.Helper()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		r.t.Fatal(err)
	}
	for i, record := range records[1:] {
		row := map[string]string{}
		for j, name := range records[0] {
			row[name] = record[j]
		}
		edit(i, row)
		for j, name := range records[0] {
			record[j] = row[name]
		}
	}
	var out bytes.Buffer
	if err := csv.NewWriter(&out).WriteAll(records); err != nil {
		r.t.Fatal(err)
	}
	return &out
}

// admin calls the API with the administrator's token.
func (r *rig) admin(method, path, contentType string, body io.Reader, out any) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.wall+"/api/v1"+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", contentType)
	if code, err := call(http.DefaultClient, req, out); err != nil || code >= 300 {
		r.t.Fatalf("%s %s: %d %v", method, path, code, err)
	}
}

// user makes a user and returns name and password, as name:password.
func (r *rig) user(u wall.AccountRequest) string {
	r.t.Helper()
	body, err := json.Marshal(u)
	if err != nil {
		r.t.Fatal(err)
	}
	var made wall.NewAccount
	r.admin(http.MethodPost, "/users", "application/json", bytes.NewReader(body), &made)
	return u.Name + ":" + made.Password
}

// person calls the API as the officer in a browser does, and fails the test
// unless it is answered well.
func (r *rig) person(method, path string, in, out any) {
	r.t.Helper()
	if code, err := r.try(method, path, in, out); err != nil || code >= 300 {
		r.t.Fatalf("%s %s: %d %v", method, path, code, err)
	}
}

// try is person, but tells what came of it.
func (r *rig) try(method, path string, in, out any) (int, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, r.wall+"/api/v1"+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	return call(r.officer, req, out)
}

func call(c *http.Client, req *http.Request, out any) (int, error) {
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode >= 300:
		return resp.StatusCode, fmt.Errorf("%s", b)
	case out == nil:
		return resp.StatusCode, nil
	default:
		return resp.StatusCode, json.Unmarshal(b, out)
	}
}

// allCameras lists every camera.
func (r *rig) allCameras() []wall.CameraView {
	r.t.Helper()
	var list wall.CameraList
	r.person(http.MethodGet, "/cameras?limit=500", nil, &list)
	return list.Cameras
}

// allLeads lists every lead, oldest first.
func (r *rig) allLeads() []alerts.Lead {
	r.t.Helper()
	var all []alerts.Lead
	q := url.Values{"limit": {"500"}}
	for {
		var page wall.LeadList
		r.person(http.MethodGet, "/leads?"+q.Encode(), nil, &page)
		all = append(all, page.Leads...)
		if page.Next == "" {
			slices.Reverse(all)
			return all
		}
		q.Set("cursor", page.Next)
	}
}

// until waits for something to become true.
func (r *rig) until(within time.Duration, what string, ok func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("not within %s: %s", within, what)
		case <-r.gateway.done:
			r.t.Fatalf("the gateway ended while waiting: %s", what)
		}
	}
}

// happening is one row of the city's ledger.
type happening struct {
	ID     string     `json:"id"`
	Camera string     `json:"camera"`
	Kind   string     `json:"kind"`
	Zone   string     `json:"zone"`
	Begin  time.Time  `json:"begin"`
	End    *time.Time `json:"end"`
	Note   string     `json:"note"`
}

// ledger reads what the city has done so far, one row per happening.
func (r *rig) ledger() []happening {
	r.t.Helper()
	b, err := os.ReadFile(r.path("ledger.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	var rows []happening
	at := map[string]int{}
	for line := range bytes.Lines(b) {
		var h happening
		if err := json.Unmarshal(line, &h); err != nil {
			continue // the last line, half written
		}
		if i, ok := at[h.ID]; ok {
			rows[i] = h
			continue
		}
		at[h.ID] = len(rows)
		rows = append(rows, h)
	}
	return rows
}

// desk is a dispatch desk: a real HTTP server that takes only signed leads.
type desk struct {
	server *httptest.Server
	secret string

	mu     sync.Mutex
	events []deskEvent
	ids    map[string]int // deliveries by id
	bad    []string
}

type deskEvent struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Subject string `json:"subject"`
	Data    struct {
		Lead struct {
			ID       string           `json:"id"`
			Kind     string           `json:"kind"`
			State    alerts.LeadState `json:"state"`
			RaisedAt time.Time        `json:"raised_at"`
			Version  int64            `json:"version"`
		} `json:"lead"`
		Camera   alerts.CameraRef `json:"camera"`
		Grid     []alerts.GridRef `json:"grid"`
		Zone     json.RawMessage  `json:"zone"`
		Evidence []struct {
			URL    string `json:"url"`
			SHA256 string `json:"sha256"`
		} `json:"evidence"`
	} `json:"data"`
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{secret: "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("desk"), 8)), ids: map[string]int{}}
	d.server = httptest.NewServer(d)
	t.Cleanup(d.server.Close)
	return d
}

func (d *desk) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err == nil {
		err = webhook.Verify([]inventory.Secret{inventory.Secret(d.secret)}, req.Header, body, time.Now())
	}
	var e deskEvent
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || len(body) > 20<<10 || !strings.HasPrefix(req.Header.Get("Content-Type"), "application/cloudevents+json") {
		d.bad = append(d.bad, fmt.Sprintf("%v (%d bytes, %s): %.300s", err, len(body), req.Header.Get("Content-Type"), body))
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	d.ids[e.ID]++
	if d.ids[e.ID] == 1 {
		d.events = append(d.events, e)
	}
	w.WriteHeader(http.StatusNoContent)
}

// raised lists the leads that the desk was told of, each once.
func (d *desk) raised() []deskEvent {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []deskEvent
	for _, e := range d.events {
		if e.Type == "videopatrol.lead.raised.v1" {
			list = append(list, e)
		}
	}
	return list
}

// steps lists the states that the desk heard of one lead, in order.
func (d *desk) steps(lead string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []string
	for _, e := range d.events {
		if e.Subject == lead {
			list = append(list, strings.TrimSuffix(strings.TrimPrefix(e.Type, "videopatrol.lead."), ".v1"))
		}
	}
	return list
}

// refused lists what the desk would not take.
func (d *desk) refused() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.bad)
}
