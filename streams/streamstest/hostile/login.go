package hostile

import (
	"crypto/md5" //nolint:gosec // RFC 2617 asks for it
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const realm = "ipcam"

// scheme is how a camera asks for a login; the zero value is Digest with MD5.
type scheme struct {
	basic, sha256 bool
	// fresh makes a new nonce for every request, so that an old one is refused.
	fresh bool
	// relative wants the path alone in the login's uri, exact the very text of
	// the request line.
	relative, exact bool
}

// challenge is a WWW-Authenticate header's value.
func (s scheme) challenge(nonce string) string {
	switch {
	case s.basic:
		return `Basic realm="` + realm + `"`
	case s.sha256:
		return `Digest realm="` + realm + `", nonce="` + nonce + `", algorithm=SHA-256`
	default:
		return `Digest realm="` + realm + `", nonce="` + nonce + `"`
	}
}

// admits checks an Authorization header's value (RFC 2069 without qop).
func (s scheme) admits(r *request, nonce, user, password string) bool {
	kind, rest, _ := strings.Cut(r.header("Authorization"), " ")
	if s.basic {
		return kind == "Basic" && rest == base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	said := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		said[k] = strings.Trim(v, `"`)
	}
	hash := func(text string) string {
		if s.sha256 {
			sum := sha256.Sum256([]byte(text))
			return hex.EncodeToString(sum[:])
		}
		sum := md5.Sum([]byte(text)) //nolint:gosec // RFC 2617 asks for it
		return hex.EncodeToString(sum[:])
	}
	uri := said["uri"]
	want := hash(hash(user+":"+realm+":"+password) + ":" + nonce + ":" + hash(r.method+":"+uri))
	return kind == "Digest" && said["nonce"] == nonce && said["response"] == want &&
		(!s.exact || uri == r.uri) && (!s.relative || strings.HasPrefix(uri, "/"))
}

func newNonce() string { return strings.ToLower(rand.Text()) }
