package rtsp

import (
	"crypto/md5" //nolint:gosec // RFC 2617 asks for it
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"videopatrol/inventory"
)

// challenge is one way to log in that a camera offers (RFC 7616 section 3.3,
// RFC 7617 section 2).
type challenge struct {
	basic     bool
	algorithm string // as the camera wrote it; "" for none
	digest    func() hash.Hash
	session   bool // the "-sess" variants
	qop       bool // quality of protection "auth" is offered
	realm     string
	nonce     string
	opaque    string
	stale     bool
}

// strength orders challenges: the strongest is taken.
func (c *challenge) strength() int {
	switch {
	case c.basic:
		return 1
	case c.digest().Size() == sha256.Size:
		return 3
	default:
		return 2
	}
}

// strongest returns the best of the challenges that the gateway knows, or nil
// when it knows none. A digest of an unknown algorithm is passed over.
func strongest(values []string) *challenge {
	var best *challenge
	for _, v := range values {
		for _, one := range challenges(v) {
			if c := parseChallenge(one); c != nil && (best == nil || c.strength() > best.strength()) {
				best = c
			}
		}
	}
	return best
}

// challenges splits a header that holds several, which RFC 9110 section 11.6.1
// allows.
func challenges(v string) []string {
	var out []string
	from, quote := 0, false
	for i := range len(v) {
		switch c := v[i]; {
		case c == '"':
			quote = !quote
		case !quote && i > from && (v[i-1] == ' ' || v[i-1] == ',') && (beginsWith(v[i:], "digest ") || beginsWith(v[i:], "basic ")):
			out = append(out, v[from:i])
			from = i
		}
	}
	return append(out, v[from:])
}

func beginsWith(s, lower string) bool {
	return len(s) >= len(lower) && strings.EqualFold(s[:len(lower)], lower)
}

func parseChallenge(v string) *challenge {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(v), " ")
	c := &challenge{}
	params := authParams(rest)
	c.realm, c.nonce, c.opaque = params["realm"], params["nonce"], params["opaque"]
	switch strings.ToLower(scheme) {
	case "basic":
		c.basic = true
		return c
	case "digest":
	default:
		return nil
	}
	c.algorithm = params["algorithm"]
	c.stale = strings.EqualFold(params["stale"], "true")
	name, session := strings.CutSuffix(strings.ToLower(c.algorithm), "-sess")
	c.session = session
	switch name {
	case "", "md5":
		c.digest = md5.New
	case "sha-256", "sha256":
		c.digest = sha256.New
	default:
		return nil
	}
	offers := params["qop"]
	for offer := range strings.SplitSeq(offers, ",") {
		c.qop = c.qop || strings.EqualFold(strings.TrimSpace(offer), "auth")
	}
	if c.nonce == "" || offers != "" && !c.qop {
		return nil // "auth-int" alone asks for more than RTSP has
	}
	return c
}

// authParams reads comma-separated name=value pairs, values quoted or not. The
// first of a name counts.
func authParams(s string) map[string]string {
	out := map[string]string{}
	for len(out) < 32 {
		s = strings.TrimLeft(s, " ,\t")
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		var value string
		rest = strings.TrimLeft(rest, " ")
		if strings.HasPrefix(rest, `"`) {
			value, s, _ = strings.Cut(rest[1:], `"`)
		} else {
			value, s, _ = strings.Cut(rest, ",")
			value = strings.TrimSpace(value)
		}
		if name = strings.ToLower(strings.TrimSpace(name)); out[name] == "" {
			out[name] = value
		}
	}
	return out
}

// authorization answers a challenge for one request; uri is the request line's,
// to the letter, for some cameras compare the two. count is how often the
// nonce was used, this time included.
func (c *challenge) authorization(login inventory.Login, method, uri string, count int) string {
	password := login.Password.Reveal()
	if c.basic {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(login.Username+":"+password))
	}
	h := func(s string) string {
		d := c.digest()
		d.Write([]byte(s))
		return hex.EncodeToString(d.Sum(nil))
	}
	cnonce := ""
	if c.qop || c.session {
		cnonce = rand.Text()
	}
	secret := h(login.Username + ":" + c.realm + ":" + password)
	if c.session {
		secret = h(secret + ":" + c.nonce + ":" + cnonce)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s", `, quoted(login.Username), c.realm, c.nonce, uri)
	if request := h(method + ":" + uri); c.qop {
		nc := fmt.Sprintf("%08x", count)
		fmt.Fprintf(&b, `response="%s", qop=auth, nc=%s, cnonce="%s"`, h(secret+":"+c.nonce+":"+nc+":"+cnonce+":auth:"+request), nc, cnonce)
	} else {
		fmt.Fprintf(&b, `response="%s"`, h(secret+":"+c.nonce+":"+request))
		if c.session {
			fmt.Fprintf(&b, `, cnonce="%s"`, cnonce)
		}
	}
	if c.algorithm != "" {
		fmt.Fprintf(&b, `, algorithm="%s"`, c.algorithm)
	}
	if c.opaque != "" {
		fmt.Fprintf(&b, `, opaque="%s"`, c.opaque)
	}
	return b.String()
}

// quoted escapes what ends a quoted string (RFC 7230 section 3.2.6), and drops
// line ends.
func quoted(s string) string { return quoting.Replace(s) }

var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "")
