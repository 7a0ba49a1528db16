package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// errBlocked is why the allowlist refuses an address.
var errBlocked = errors.New("not on the egress allowlist")

// egress says where a webhook may connect to.
type egress struct {
	hosts    []string       // host:port
	prefixes []netip.Prefix // of the resolved address
	loopback bool
}

// newEgress reads the allowlist: "host:port" or a CIDR prefix each.
func newEgress(allow []string, loopback bool) (egress, error) {
	e := egress{loopback: loopback}
	for _, a := range allow {
		if p, err := netip.ParsePrefix(a); err == nil {
			e.prefixes = append(e.prefixes, p.Masked())
			continue
		}
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return egress{}, fmt.Errorf("egress allowlist: %q is neither host:port nor a prefix such as 10.20.0.0/16", a)
		}
		e.hosts = append(e.hosts, strings.ToLower(a))
	}
	return e, nil
}

// judge says whether a host:port may be reached at the address that its name
// resolved to; "" or why not. A listed name may be at any address but those
// that no receiver can have: link-local ones, among them the metadata service
// of clouds, and loopback unless that is allowed.
func (e egress) judge(hostport string, ip netip.Addr) string {
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
	return errBlocked.Error()
}

// dial resolves first, judges each address, and connects to the address
// itself.
func (o *Options) dial(ctx context.Context, e egress, network, hostport string) (net.Conn, error) {
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
			err = fmt.Errorf("%s is at %s, %s: %w", hostport, ip, why, errBlocked)
			continue
		}
		var c net.Conn
		if c, err = o.Dial(ctx, network, net.JoinHostPort(ip.Unmap().String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}
