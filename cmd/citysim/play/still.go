package play

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
)

// still answers with the picture that the camera shows. It changes with each
// GOP; who has it already gets 304 (RFC 9110, section 13).
func (s *Server) still(w http.ResponseWriter, r *http.Request, nonce string) {
	c := s.byID[r.PathValue("id")]
	switch {
	case c == nil:
		http.NotFound(w, r)
		return
	case c.host.silent():
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case c.host.gone.Load() || c.fault() == Offline || c.fault() == Silent:
		panic(http.ErrAbortHandler)
	case c.fault() == WrongPassword || !s.mayHTTP(r, nonce):
		w.Header().Set("WWW-Authenticate", `Digest realm="`+realm+`", nonce="`+nonce+`"`)
		http.Error(w, "log in", http.StatusUnauthorized)
		return
	}
	p := c.showing.Load()
	if p == nil {
		http.Error(w, "no picture yet", http.StatusServiceUnavailable)
		return
	}
	b, err := p.gop.Still(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", p.since.UnixMilli())))
	http.ServeContent(w, r, "", p.since, bytes.NewReader(varyJPEG(b, p.variant)))
}

// varyJPEG returns a JPEG with pixels of its own for a variant ≥ 0, for the
// reason that GOP.Vary has: one of the luma quantisers of middling frequency
// is a step coarser, or none for variant 0 (ITU-T T.81, B.2.4.1).
func varyJPEG(file []byte, variant int) []byte {
	const first, choices = 4, 24
	at := bytes.Index(file, []byte{0xff, 0xdb})
	if at < 0 || variant%(choices+1) == 0 {
		return file
	}
	at += 5 + first + variant%(choices+1) - 1 // marker, length, precision and table
	if at >= len(file) || file[at] == 255 {
		return file
	}
	out := bytes.Clone(file)
	out[at]++
	return out
}

// mayHTTP checks a login by Digest as of RFC 2069 (no qop), or Basic.
func (s *Server) mayHTTP(r *http.Request, nonce string) bool {
	req := &base.Request{
		Method: base.Method(r.Method), URL: &base.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery},
		Header: base.Header{"Authorization": base.HeaderValue(r.Header.Values("Authorization"))},
	}
	return auth.Verify(req, s.o.Username, s.o.Password.Reveal(), nil, realm, nonce) == nil
}
