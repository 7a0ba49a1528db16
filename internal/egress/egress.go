// Package egress makes HTTP clients that reach the receivers they were made for
// and nothing else: names are resolved first and the address itself is checked,
// so that a name cannot lead elsewhere meanwhile, and no redirect is followed.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ErrBlocked is why the allowlist refuses an address.
var ErrBlocked = errors.New("not on the egress allowlist")

// MaxAnswer is how much of an answer is worth reading, in bytes, so that the
// connection can be used again.
const MaxAnswer = 16 << 10

// Options says where a client may connect to.
type Options struct {
	// URL of the receiver; https, or http where Loopback allows it. Required.
	URL string
	// Allow lists where connections may go, "host:port" or a CIDR prefix of
	// the resolved address; empty allows the URL's own host and port alone.
	Allow []string
	// Loopback allows receivers on this machine, and http to them.
	Loopback bool
	// Timeout of one request; 0 means 15 s.
	Timeout time.Duration
	// Resolve and Dial are the system's edges; nil means the system's.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client returns a client for one receiver.
func Client(o Options) (*http.Client, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("the URL names no receiver; write https://host/path")
	case u.User != nil:
		return nil, errors.New("a URL carries no user name or password")
	case u.Scheme != "https" && (u.Scheme != "http" || !o.Loopback):
		return nil, fmt.Errorf("%s://%s: want https (http goes to loopback alone, where that is allowed)", u.Scheme, u.Host)
	}
	if len(o.Allow) == 0 {
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
		}
		o.Allow = []string{net.JoinHostPort(u.Hostname(), port)}
	}
	e, err := newAllowlist(o.Allow, o.Loopback)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Resolve == nil {
		o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	plain := u.Scheme == "http"
	return &http.Client{
		Timeout: o.Timeout,
		// The answer that redirects is the answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, hostport string) (net.Conn, error) {
				c, err := o.dial(ctx, e, network, hostport)
				if err == nil && plain && !isLoopback(c.RemoteAddr()) {
					c.Close()
					return nil, fmt.Errorf("http to %s, which is not this machine: %w", hostport, ErrBlocked)
				}
				return c, err
			},
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: MaxAnswer,
		},
	}, nil
}

// isLoopback takes an address that is no IP address, such as a test's pipe,
// for this machine's.
func isLoopback(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	return err != nil || ap.Addr().Unmap().IsLoopback()
}

// allowlist says where connections may go.
type allowlist struct {
	hosts    []string       // host:port
	prefixes []netip.Prefix // of the resolved address
	loopback bool
}

// newAllowlist reads "host:port" or a CIDR prefix each.
func newAllowlist(allow []string, loopback bool) (allowlist, error) {
	e := allowlist{loopback: loopback}
	for _, a := range allow {
		if p, err := netip.ParsePrefix(a); err == nil {
			e.prefixes = append(e.prefixes, p.Masked())
			continue
		}
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return allowlist{}, fmt.Errorf("egress allowlist: %q is neither host:port nor a prefix such as 10.20.0.0/16", a)
		}
		e.hosts = append(e.hosts, strings.ToLower(a))
	}
	return e, nil
}

// judge says whether a host:port may be reached at the address that its name
// resolved to; "" or why not. A listed name may be at any address but those
// that no receiver can have: link-local ones, among them the metadata service
// of clouds, and loopback unless that is allowed.
func (e allowlist) judge(hostport string, ip netip.Addr) string {
	ip = ip.Unmap()
	switch {
	case !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast():
		return "no address of a host"
	case ip.IsLinkLocalUnicast():
		return "a link-local address"
	case ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "a broadcast address"
	case ip.Is4() && ip.As4()[0] == 0:
		return "an address of this network"
	case ip.IsLoopback() && !e.loopback:
		return "a loopback address"
	case slices.Contains(e.hosts, strings.ToLower(hostport)):
		return ""
	case slices.ContainsFunc(e.prefixes, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return ""
	}
	return ErrBlocked.Error()
}

// dial resolves first, judges each address, and connects to the address
// itself.
func (o *Options) dial(ctx context.Context, e allowlist, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	addrs, err := o.Resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("%s has no address", host)
	for _, ip := range addrs {
		if why := e.judge(hostport, ip); why != "" {
			err = fmt.Errorf("%s is at %s, %s: %w", hostport, ip, why, ErrBlocked)
			continue
		}
		var c net.Conn
		if c, err = o.Dial(ctx, network, net.JoinHostPort(ip.Unmap().String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}
