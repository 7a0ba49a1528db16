package main

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/detect"
	"videopatrol/internal/strictyaml"
	"videopatrol/inventory"
	"videopatrol/streams"
)

// defaultConfig documents every key with its default.
//
//go:embed patrol.yaml
var defaultConfig string

// Config is the gateway's one strict file.
type Config struct {
	Site SiteConfig `yaml:"site"`
	Data string     `yaml:"data"`
	// Node names this machine in the audit; "" means the host's name.
	Node     string         `yaml:"node"`
	Database DatabaseConfig `yaml:"database"`
	Audit    AuditConfig    `yaml:"audit"`
	Log      LogConfig      `yaml:"log"`
	Wall     WallConfig     `yaml:"wall"`
	Metrics  MetricsConfig  `yaml:"metrics"`
	Key      SecretRef      `yaml:"key"`
	// Templates is a file of vendors' stream addresses.
	Templates string       `yaml:"templates"`
	Patrol    PatrolConfig `yaml:"patrol"`
	Detect    DetectConfig `yaml:"detect"`
	Canary    CanaryConfig `yaml:"canary"`
	Severity  Severities   `yaml:"severity"`
	// Routes is a file of departments, routes and clocks; "" is the built-in one.
	Routes string       `yaml:"routes"`
	Sinks  []SinkConfig `yaml:"sinks"`
}

// SiteConfig says where the gateway stands.
type SiteConfig struct {
	Name     string `yaml:"name"`
	TimeZone string `yaml:"time_zone"`
}

// AuditConfig says where the audit's checkpoints go.
type AuditConfig struct {
	Checkpoints string         `yaml:"checkpoints"`
	Receiver    ReceiverConfig `yaml:"receiver"`
}

// ReceiverConfig is another office that keeps checkpoints.
type ReceiverConfig struct {
	URL   string    `yaml:"url"`
	Token SecretRef `yaml:"token"`
	// Allow are the networks that the receiver's address may lie in.
	Allow []string `yaml:"allow"`
}

// LogConfig says what is logged and how.
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// WallConfig is the listener of people and their programs.
type WallConfig struct {
	Listen string `yaml:"listen"`
	// URL is where others reach the wall; evidence links begin with it.
	URL  string `yaml:"url"`
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// MetricsConfig is the listener of Prometheus.
type MetricsConfig struct {
	Listen string `yaml:"listen"`
	Pprof  bool   `yaml:"pprof"`
}

// PatrolConfig is how cameras are visited.
type PatrolConfig struct {
	Intervals    map[inventory.Tier]Duration     `yaml:"intervals"`
	Dials        int                             `yaml:"dials"`
	DialsPerHost int                             `yaml:"dials_per_host"`
	DialRate     float64                         `yaml:"dial_rate"`
	Sessions     int                             `yaml:"sessions"`
	MediaMemory  Bytes                           `yaml:"media_memory"`
	Mode         inventory.Mode                  `yaml:"mode"`
	VisitAbove   Duration                        `yaml:"visit_above"`
	Stay         map[inventory.Tier]streams.Stay `yaml:"stay"`
	Stir         bool                            `yaml:"stir"`
	Network      float64                         `yaml:"network"`
	Uplinks      map[string]float64              `yaml:"uplinks"`
	CAs          string                          `yaml:"cas"`
	BackoffMin   Duration                        `yaml:"backoff_min"`
	BackoffMax   Duration                        `yaml:"backoff_max"`
}

// DetectConfig is what judging pictures may cost.
type DetectConfig struct {
	Workers   int      `yaml:"workers"`
	Timeout   Duration `yaml:"timeout"`
	Isolation string   `yaml:"isolation"`
	// Rules is a file of rule presets, over the built-in ones.
	Rules string `yaml:"rules"`
	// Model is an ONNX file that finds objects; "" means that none are looked
	// for. FireModel is one that says whether a picture shows fire, a witness
	// where a flame is doubtful. ONNXRuntime is the file of that library; ""
	// means the usual places.
	Model       string `yaml:"model"`
	FireModel   string `yaml:"fire_model"`
	ONNXRuntime string `yaml:"onnxruntime"`
}

// CanaryConfig is the gateway's own synthetic camera.
type CanaryConfig struct {
	Enabled  bool     `yaml:"enabled"`
	Interval Duration `yaml:"interval"`
}

// Severities says how fast each kind of lead wants a person.
type Severities map[detect.Kind]alerts.Severity

// SinkConfig is one dispatch desk.
type SinkConfig struct {
	Name        string             `yaml:"name"`
	URL         string             `yaml:"url"`
	Secrets     []SecretRef        `yaml:"secrets"`
	Transitions []alerts.LeadState `yaml:"transitions"`
	// Allow are the networks that the sink's address may lie in.
	Allow []string `yaml:"allow"`
}

// SecretRef names a secret without holding it: ${ENV} or file:PATH.
type SecretRef string

// Resolve reads the secret.
func (r SecretRef) Resolve() (inventory.Secret, error) {
	s := string(r)
	if name, ok := strings.CutPrefix(s, "${"); ok && strings.HasSuffix(name, "}") {
		v := os.Getenv(strings.TrimSuffix(name, "}"))
		if v == "" {
			return "", fmt.Errorf("the environment has no %s", strings.TrimSuffix(name, "}"))
		}
		return inventory.Secret(v), nil
	}
	if path, ok := strings.CutPrefix(s, "file:"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		return inventory.Secret(strings.TrimSpace(string(b))), nil
	}
	return "", errors.New("a secret is given as ${NAME} or file:PATH, never in the file itself")
}

// Duration reads "5s" and the like.
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads, above zero.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration (want 500ms, 5s, 3m, 2h)", text)
	}
	*d = Duration(v)
	return nil
}

// Bytes reads "512MiB" and the like.
type Bytes int64

var sizeForm = regexp.MustCompile(`^(\d+) ?(B|KiB|MiB|GiB)$`)

// UnmarshalText reads a whole number of B, KiB, MiB or GiB.
func (b *Bytes) UnmarshalText(text []byte) error {
	m := sizeForm.FindStringSubmatch(string(text))
	if m == nil {
		return fmt.Errorf("%q is no size (want 64MiB, 2GiB)", text)
	}
	var n int64
	if _, err := fmt.Sscan(m[1], &n); err != nil || n > 1<<33 {
		return fmt.Errorf("%q is too large", text)
	}
	*b = Bytes(n << (10 * slices.Index([]string{"B", "KiB", "MiB", "GiB"}, m[2])))
	return nil
}

// DefaultConfig returns the documented defaults.
func DefaultConfig() Config {
	var c Config
	if err := strictyaml.Unmarshal([]byte(defaultConfig), &c); err != nil {
		panic("the built-in configuration: " + err.Error()) // a test reads it too
	}
	return c
}

// LoadConfig reads a file over the defaults and checks it whole. Its errors
// name the line, the column and, for an unknown key, the nearest known one.
func LoadConfig(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	c, err := ParseConfig(b)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ParseConfig is LoadConfig for bytes.
func ParseConfig(b []byte) (Config, error) {
	c := DefaultConfig()
	// Lists are replaced, not merged element by element.
	defaults := c
	c.Sinks = nil
	if err := strictyaml.Unmarshal(b, &c); err != nil {
		return Config{}, explainKeys(err, reflect.TypeFor[Config]())
	}
	if c.Sinks == nil {
		c.Sinks = defaults.Sinks
	}
	if err := c.check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// explainKeys adds the nearest key that the file may have, whose form is t, to
// the error of an unknown one.
func explainKeys(err error, t reflect.Type) error {
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) {
		return errors.New(strictyaml.Explain(err))
	}
	tok := unknown.GetToken()
	near := strictyaml.Nearest(tok.Value, maps.Keys(keysOf(t, map[string]bool{})))
	return fmt.Errorf("line %d, column %d: unknown key %q; did you mean %q?\n%s",
		tok.Position.Line, tok.Position.Column, tok.Value, near, strictyaml.Explain(err))
}

func keysOf(t reflect.Type, keys map[string]bool) map[string]bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer, reflect.Map:
		keysOf(t.Elem(), keys)
	case reflect.Struct:
		for f := range t.Fields() {
			if tag := f.Tag.Get("yaml"); tag != "" {
				keys[tag] = true
				keysOf(f.Type, keys)
			}
		}
	default:
	}
	return keys
}

func (c Config) check() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if _, err := time.LoadLocation(c.Site.TimeZone); err != nil || c.Site.TimeZone == "" {
		bad("site.time_zone", "no such time zone %q (want an IANA name such as Asia/Shanghai)", c.Site.TimeZone)
	}
	if c.Data == "" {
		bad("data", "a folder for the record, the evidence and the keys is required")
	}
	if len(c.Node) > audit.MaxNode {
		bad("node", "a name has at most %d bytes", audit.MaxNode)
	}
	if err := c.Database.check(); err != nil {
		bad("database", "%v", err)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level", "no such level %q (want debug, info, warn or error)", c.Log.Level)
	}
	if !slices.Contains([]string{"auto", "json", "text"}, c.Log.Format) {
		bad("log.format", "no such format %q (want auto, json or text)", c.Log.Format)
	}
	for key, addr := range map[string]string{"wall.listen": c.Wall.Listen, "metrics.listen": c.Metrics.Listen} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			bad(key, "%q is no address (want 127.0.0.1:8080)", addr)
		}
	}
	if (c.Wall.Cert == "") != (c.Wall.Key == "") {
		bad("wall.cert", "a certificate and its key go together; leave both empty for a self-made one")
	}
	if c.Wall.URL != "" {
		if u, err := url.Parse(c.Wall.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			bad("wall.url", "%q is no http(s) address", c.Wall.URL)
		}
	}
	if c.Wall.URL == "" && len(c.Sinks) > 0 && !isLoopback(c.Wall.Listen) {
		bad("wall.url", "is required with sinks: the links to evidence that they get begin with it")
	}
	if r := c.Audit.Receiver; r.URL != "" {
		// The secret behind the token is tried by resolveSecrets.
		if _, err := (ReceiverConfig{URL: r.URL, Allow: r.Allow}).open(); err != nil {
			errs = append(errs, err)
		}
	}
	c.checkPatrol(bad)
	for kind, s := range c.Severity {
		if !slices.Contains(alerts.Kinds(), kind) {
			bad("severity", "no such kind %q (want one of %v)", kind, alerts.Kinds())
		}
		if !slices.Contains([]alerts.Severity{alerts.SeverityHigh, alerts.SeverityMedium, alerts.SeverityLow}, s) {
			bad("severity."+string(kind), "no such severity %q (want high, medium or low)", s)
		}
	}
	c.checkSinks(bad)
	return errors.Join(errs...)
}

func (c Config) checkPatrol(bad func(key, format string, args ...any)) {
	for tier, d := range c.Patrol.Intervals {
		if !slices.Contains(inventory.Tiers(), tier) {
			bad("patrol.intervals", "no such tier %q (want one of %v)", tier, inventory.Tiers())
		}
		if time.Duration(d) < time.Second {
			bad("patrol.intervals."+string(tier), "the shortest interval is 1s")
		}
	}
	for key, v := range map[string]int{
		"patrol.dials": c.Patrol.Dials, "patrol.dials_per_host": c.Patrol.DialsPerHost,
		"patrol.sessions": c.Patrol.Sessions,
	} {
		if v < 1 {
			bad(key, "must be at least 1")
		}
	}
	if c.Detect.Workers < 0 {
		bad("detect.workers", "must be at least 1, or 0 for one per core")
	}
	if c.Patrol.DialRate <= 0 {
		bad("patrol.dial_rate", "must be above 0 dials a second")
	}
	if !slices.Contains(inventory.Modes(), c.Patrol.Mode) {
		bad("patrol.mode", "no such mode %q (want one of %v)", c.Patrol.Mode, inventory.Modes())
	}
	for tier, stay := range c.Patrol.Stay {
		if !slices.Contains(inventory.Tiers(), tier) {
			bad("patrol.stay", "no such tier %q (want one of %v)", tier, inventory.Tiers())
		}
		if !slices.Contains(streams.Stays(), stay) {
			bad("patrol.stay."+string(tier), "no such way to stay %q (want one of %v)", stay, streams.Stays())
		}
	}
	if c.Patrol.VisitAbove <= 0 {
		bad("patrol.visit_above", "must be above 0")
	}
	if c.Patrol.Network < 0 {
		bad("patrol.network", "must be above 0 Mbit/s, or 0 for no limit")
	}
	for name, mbit := range c.Patrol.Uplinks {
		if mbit <= 0 {
			bad("patrol.uplinks."+name, "must be above 0 Mbit/s; leave the uplink out for no limit")
		}
	}
	if c.Patrol.MediaMemory < 16<<20 {
		bad("patrol.media_memory", "must be at least 16MiB")
	}
	if c.Patrol.BackoffMin <= 0 || c.Patrol.BackoffMax < c.Patrol.BackoffMin {
		bad("patrol.backoff_max", "must not be shorter than backoff_min, and both above 0")
	}
	if c.Detect.Isolation != "required" && c.Detect.Isolation != "preferred" {
		bad("detect.isolation", "no such isolation %q (want required or preferred)", c.Detect.Isolation)
	}
	if time.Duration(c.Detect.Timeout) < 100*time.Millisecond {
		bad("detect.timeout", "must be at least 100ms")
	}
	if c.Canary.Enabled && time.Duration(c.Canary.Interval) < 30*time.Second {
		bad("canary.interval", "must be at least 30s")
	}
}

func (c Config) checkSinks(bad func(key, format string, args ...any)) {
	seen := map[string]bool{canarySink: true}
	for i, s := range c.Sinks {
		key := fmt.Sprintf("sinks[%d]", i)
		if s.Name == "" || seen[s.Name] {
			bad(key+".name", "every sink needs a name of its own (%q is the canary's)", canarySink)
		}
		seen[s.Name] = true
		if u, err := url.Parse(s.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			bad(key+".url", "want an http(s) address without credentials")
		}
		if len(s.Secrets) == 0 {
			bad(key+".secrets", "at least one signing secret is required (${NAME} or file:PATH holding whsec_…)")
		}
		for _, t := range s.Transitions {
			if !slices.Contains(alerts.StepNames(), string(t)) {
				bad(key+".transitions", "no step is named %q (want some of %v)", t, alerts.StepNames())
			}
		}
	}
}

// resolveSecrets tries every secret that the configuration names.
func (c Config) resolveSecrets() error {
	var errs []error
	try := func(key string, r SecretRef) {
		if _, err := r.Resolve(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	if c.Key != "" {
		try("key", c.Key)
	}
	if c.Database.Password != "" {
		try("database.password", c.Database.Password)
	}
	if c.Audit.Receiver.Token != "" {
		try("audit.receiver.token", c.Audit.Receiver.Token)
	}
	for i, s := range c.Sinks {
		for j, r := range s.Secrets {
			try(fmt.Sprintf("sinks[%d].secrets[%d]", i, j), r)
		}
	}
	return errors.Join(errs...)
}

// fixedDifferences lists the keys in which next differs from c and which
// cannot change while the gateway runs.
func (c Config) fixedDifferences(next Config) []string {
	next.Log.Level, next.Routes = c.Log.Level, c.Routes
	var keys []string
	a, b := reflect.ValueOf(c), reflect.ValueOf(next)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			keys = append(keys, a.Type().Field(i).Tag.Get("yaml"))
		}
	}
	return keys
}

// isLoopbackURL tells whether an address names this machine itself.
func isLoopbackURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && isLoopback(net.JoinHostPort(u.Hostname(), "0"))
}
