package streams

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Openers opens each address by the protocol that its scheme names, in lower
// case: rtsp, rtsps, http, https.
type Openers map[string]Opener

// Open implements Opener.
func (o Openers) Open(ctx context.Context, t Target, r Receiver) (Session, error) {
	// The parser's error would repeat an address that may hold a password.
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" {
		return nil, Errorf(ReasonConfig, "the address is not a URL with a host; write %s://host[:port]/path", strings.Join(o.schemes(), ":// or "))
	}
	opener := o[u.Scheme]
	if opener == nil {
		return nil, Errorf(ReasonConfig, "the address has scheme %q; write %s://", clip(u.Scheme, 16), strings.Join(o.schemes(), ":// or "))
	}
	return opener.Open(ctx, t, r)
}

func (o Openers) schemes() []string { return slices.Sorted(maps.Keys(o)) }
