package importer

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"videopatrol/inventory"
)

const (
	// maxChannel is the highest channel of a recorder.
	maxChannel = 1024
	// maxVendors bounds a file of templates.
	maxVendors = 1000
)

// Template says where a vendor's devices keep their streams. In its addresses
// {address} is host or host:port, {host} the host alone, {channel} the channel
// from 1, and {channel+32} the channel with 32 added.
type Template struct {
	// Name is how an inventory names it: lower-case letters, digits and
	// hyphens. Aliases mean the same.
	Name    string   `yaml:"name" json:"name"`
	Title   string   `yaml:"title" json:"title"`
	Aliases []string `yaml:"aliases" json:"aliases,omitempty"`
	Main    string   `yaml:"main" json:"main,omitempty"`
	Sub     string   `yaml:"sub" json:"sub,omitempty"`
	Still   string   `yaml:"still" json:"still,omitempty"`
	// Channels is how many channels a device has; 0 means that it is not
	// known.
	Channels int `yaml:"channels" json:"channels,omitempty"`
	// Note is a sentence for whoever chooses one.
	Note string `yaml:"note" json:"note,omitempty"`
}

// Templates are the vendors' templates. They are immutable.
type Templates struct {
	list   []Template // in the order of the files
	byName map[string]int
}

//go:embed templates.yaml
var builtIn []byte

var defaultTemplates = sync.OnceValue(func() *Templates {
	t, err := (&Templates{}).with(builtIn)
	if err != nil {
		panic("importer: the built-in templates: " + err.Error()) // a test reads them
	}
	return t
})

// DefaultTemplates are the built-in ones.
func DefaultTemplates() *Templates { return defaultTemplates() }

// ParseTemplates reads a site's own templates, YAML as in templates.yaml, over
// the built-in ones: a vendor of the same name is replaced, others are added.
func ParseTemplates(file []byte) (*Templates, error) { return DefaultTemplates().with(file) }

// All lists the templates.
func (t *Templates) All() []Template { return slices.Clone(t.list) }

// with adds a file's templates.
func (t *Templates) with(file []byte) (*Templates, error) {
	var read struct {
		Vendors []Template `yaml:"vendors"`
	}
	if err := unmarshal(file, &read); err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	if len(read.Vendors) == 0 || len(read.Vendors) > maxVendors {
		return nil, fmt.Errorf("templates: the file has %d vendors: want 1 to %d below the key vendors", len(read.Vendors), maxVendors)
	}
	next := &Templates{list: slices.Clone(t.list), byName: map[string]int{}}
	seen := map[string]bool{}
	for i, x := range read.Vendors {
		if err := x.check(); err != nil {
			return nil, fmt.Errorf("templates: vendor %d (%s): %w", i+1, show(x.Name), err)
		}
		if seen[x.Name] {
			return nil, fmt.Errorf("templates: vendor %d: the name %s is taken by another one of the file", i+1, x.Name)
		}
		seen[x.Name] = true
		if at := slices.IndexFunc(next.list, func(o Template) bool { return o.Name == x.Name }); at >= 0 {
			next.list[at] = x
			continue
		}
		next.list = append(next.list, x)
	}
	for i, x := range next.list {
		for _, name := range append([]string{x.Name}, x.Aliases...) {
			name = strings.ToLower(name)
			if other, taken := next.byName[name]; taken {
				return nil, fmt.Errorf("templates: %q means both %s and %s: take it out of one of them", show(name), next.list[other].Name, x.Name)
			}
			next.byName[name] = i
		}
	}
	return next, nil
}

// unmarshal is strict: an unknown key is an error that tells line and column.
func unmarshal(file []byte, v any) (err error) {
	defer func() {
		// The library has panicked on a few short inputs that are no YAML.
		if p := recover(); p != nil {
			err = fmt.Errorf("this is no YAML that can be read: %v", p)
		}
	}()
	if err := yaml.UnmarshalWithOptions(file, v, yaml.Strict()); err != nil {
		return errors.New(strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	return nil
}

var (
	vendorPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	placeholder   = regexp.MustCompile(`\{([^{}]*)\}`)
	shifted       = regexp.MustCompile(`^channel([+-][0-9]{1,4})?$`)
)

// check tells what is wrong with a template.
func (x Template) check() error {
	switch {
	case !vendorPattern.MatchString(x.Name):
		return errors.New("a name is 1 to 64 lower-case letters, digits and hyphens")
	case x.Main == "" && x.Sub == "" && x.Still == "":
		return errors.New("it has no address: fill in main, sub or still")
	case x.Channels < 0 || x.Channels > maxChannel:
		return fmt.Errorf("channels must lie in 0..%d", maxChannel)
	}
	for _, name := range append([]string{x.Title, x.Note}, x.Aliases...) {
		var text string
		if name == "" {
			continue
		}
		if f := setText(&text, name); f != nil {
			return fmt.Errorf("%q: %s", show(name), f.reason)
		}
	}
	_, err := x.fill("192.0.2.7:8554", "192.0.2.7", 1)
	return err
}

// Apply makes a camera's addresses from a vendor's template. address is host
// or host:port; channel counts from 1, and 0 is 1. The port belongs to the
// streams: pictures come from the port that the template says.
func (t *Templates) Apply(vendor, address string, channel int) (inventory.Streams, error) {
	i, ok := t.byName[strings.ToLower(strings.TrimSpace(vendor))]
	if !ok {
		return inventory.Streams{}, fmt.Errorf("no such vendor: %s", t.nearest(vendor))
	}
	x := t.list[i]
	host, port, err := splitAddress(address)
	if err != nil {
		return inventory.Streams{}, err
	}
	most := maxChannel
	if x.Channels > 0 {
		most = x.Channels
	}
	if channel == 0 {
		channel = 1
	}
	if channel < 1 || channel > most {
		return inventory.Streams{}, fmt.Errorf("%s has channels 1 to %d", x.Name, most)
	}
	address = host
	if port != "" {
		address += ":" + port
	}
	return x.fill(address, host, channel)
}

// nearest names the vendor that was probably meant, or all of them.
func (t *Templates) nearest(vendor string) string {
	best, most := "", 3
	names := make([]string, len(t.list))
	for i, x := range t.list {
		names[i] = x.Name
		if d := distance(strings.ToLower(vendor), x.Name); d < most {
			best, most = x.Name, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "want one of " + strings.Join(names, ", ")
}

// fill puts host and channel into the addresses, and checks what comes out.
func (x Template) fill(address, host string, channel int) (inventory.Streams, error) {
	var d draft
	for _, a := range []struct {
		name, text string
		set        func(*draft, string) *fault
	}{{"main", x.Main, setMain}, {"sub", x.Sub, setSub}, {"still", x.Still, setStill}} {
		if a.text == "" {
			continue
		}
		var bad error
		filled := placeholder.ReplaceAllStringFunc(a.text, func(s string) string {
			name := s[1 : len(s)-1]
			shift := shifted.FindStringSubmatch(name)
			switch {
			case name == "address":
				return address
			case name == "host":
				return host
			case shift == nil:
				bad = fmt.Errorf("%s: %q is no placeholder: want {address}, {host}, {channel} or {channel+32}", a.name, show(s))
			default:
				n, _ := strconv.Atoi(shift[1]) // the pattern allows nothing but numbers, or ""
				if n += channel; n >= 0 {
					return strconv.Itoa(n)
				}
				bad = fmt.Errorf("%s: channel %d lies below the first one", a.name, channel)
			}
			return s
		})
		if bad == nil && strings.ContainsAny(filled, "{}") {
			bad = fmt.Errorf("%s: a brace has no partner", a.name)
		}
		if bad != nil {
			return inventory.Streams{}, bad
		}
		if f := a.set(&d, filled); f != nil {
			return inventory.Streams{}, fmt.Errorf("%s: %s", a.name, f.reason)
		}
	}
	return d.Streams, nil
}

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$`)

// splitAddress takes host or host:port apart; the host of an IPv6 address
// stays in brackets. Its error repeats nothing of the address.
func splitAddress(s string) (host, port string, err error) {
	bad := errors.New("want a host such as 192.0.2.7, or host:port such as 192.0.2.7:8554, without rtsp:// and without a login")
	host = s
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && ip.Is6() && ip.Zone() == "" {
		return "[" + ip.String() + "]", "", nil
	}
	if strings.Contains(s, ":") {
		if host, port, err = net.SplitHostPort(s); err != nil || port == "" || strings.Trim(port, "0123456789") != "" {
			return "", "", bad
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || port != strconv.Itoa(n) {
			return "", "", errors.New("the port must lie in 1..65535")
		}
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && ip.Zone() == "" {
		return "[" + ip.String() + "]", port, nil
	}
	if !hostPattern.MatchString(host) {
		return "", "", bad
	}
	return host, port, nil
}
