package still

import (
	"crypto/md5" //nolint:gosec // RFC 7616 has it, and most cameras nothing else
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"videopatrol/inventory"
)

// challenge is one way to log in that a camera offered (RFC 7616, RFC 7617).
type challenge struct {
	digest    bool
	realm     string
	nonce     string
	opaque    string
	algorithm string // as it was written, "" for none
	qop       bool   // qop=auth; false is RFC 2069
	count     uint32 // requests that used the nonce
}

// hashes are the digest algorithms, without -sess.
var hashes = map[string]func(string) string{
	"":        md5Hex,
	"MD5":     md5Hex,
	"SHA-256": func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) },
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// split takes an algorithm apart.
func (c *challenge) split() (hash func(string) string, session, ok bool) {
	name := strings.ToUpper(c.algorithm)
	name, session = strings.CutSuffix(name, "-SESS")
	hash, ok = hashes[name]
	return hash, session, ok
}

// better tells whether c is to be preferred to o.
func (c *challenge) better(o *challenge) bool {
	rank := func(c *challenge) int {
		switch {
		case c == nil:
			return 0
		case !c.digest:
			return 1
		case strings.HasPrefix(strings.ToUpper(c.algorithm), "SHA-256"):
			return 3
		default:
			return 2
		}
	}
	return rank(c) > rank(o)
}

// maxChallenge bounds what is read of one WWW-Authenticate header, in bytes.
const maxChallenge = 4 << 10

// choose picks the best of the challenges offered that the gateway can
// answer, and lists the schemes offered; nil means none of them.
func choose(headers []string) (best *challenge, offered []string) {
	for i, h := range headers {
		if i == 8 {
			break
		}
		for _, c := range parseChallenges(h[:min(len(h), maxChallenge)]) {
			offered = append(offered, c.name)
			if c.usable && c.better(best) {
				best = &c.challenge
			}
		}
	}
	return best, offered
}

// offer is a challenge with what it is called and whether it can be answered.
type offer struct {
	challenge
	name   string
	usable bool
}

// parseChallenges reads one header, which may hold more than one challenge
// (RFC 9110 section 11.6.1). It is lenient: what cannot be read is passed over.
func parseChallenges(s string) []offer {
	var all []offer
	for s = strings.TrimLeft(s, " \t,"); s != "" && len(all) < 8; s = strings.TrimLeft(s, " \t,") {
		scheme, rest := token(s)
		if scheme == "" {
			return all
		}
		params := map[string]string{}
		for rest = strings.TrimLeft(rest, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
			key, after := token(rest)
			after = strings.TrimLeft(after, " \t")
			if key == "" || !strings.HasPrefix(after, "=") {
				break // the next scheme
			}
			var value string
			value, rest = word(strings.TrimLeft(after[1:], " \t"))
			if key = strings.ToLower(key); params[key] == "" {
				params[key] = value
			}
		}
		all = append(all, makeOffer(scheme, params))
		if len(rest) == len(s) {
			return all
		}
		s = rest
	}
	return all
}

func makeOffer(scheme string, p map[string]string) offer {
	o := offer{name: scheme, challenge: challenge{realm: p["realm"]}}
	switch strings.ToLower(scheme) {
	case "basic":
		o.usable = true
	case "digest":
		o.digest, o.nonce, o.opaque, o.algorithm = true, p["nonce"], p["opaque"], p["algorithm"]
		for q := range strings.SplitSeq(p["qop"], ",") {
			o.qop = o.qop || strings.EqualFold(strings.TrimSpace(q), "auth")
		}
		_, _, known := o.split()
		o.usable = known && o.nonce != "" && (o.qop || p["qop"] == "")
		if o.algorithm != "" {
			o.name += " " + o.algorithm
		}
	}
	return o
}

// token cuts a token off (RFC 9110 section 5.6.2).
func token(s string) (tok, rest string) {
	i := strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}

// word cuts a quoted string or what stands up to the next comma off.
func word(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		return strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), "" // the closing quote is missing
}

// answer is the Authorization header of the next GET of a path.
func (c *challenge) answer(by inventory.Login, path string) string {
	password := by.Password.Reveal()
	if !c.digest {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(by.Username+":"+password))
	}
	c.count++
	hash, session, _ := c.split()
	nc, cnonce := fmt.Sprintf("%08x", c.count), rand.Text()
	ha1 := hash(by.Username + ":" + c.realm + ":" + password)
	if session {
		ha1 = hash(ha1 + ":" + c.nonce + ":" + cnonce)
	}
	ha2 := hash("GET:" + path)
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username=%s, realm=%s, nonce=%s, uri=%s`, quote(by.Username), quote(c.realm), quote(c.nonce), quote(path))
	if c.qop {
		fmt.Fprintf(&b, `, qop=auth, nc=%s, cnonce="%s", response="%s"`, nc, cnonce, hash(strings.Join([]string{ha1, c.nonce, nc, cnonce, "auth", ha2}, ":")))
	} else {
		if session {
			fmt.Fprintf(&b, `, cnonce="%s"`, cnonce)
		}
		fmt.Fprintf(&b, `, response="%s"`, hash(ha1+":"+c.nonce+":"+ha2))
	}
	if c.algorithm != "" {
		b.WriteString(`, algorithm=` + c.algorithm)
	}
	if c.opaque != "" {
		b.WriteString(`, opaque=` + quote(c.opaque))
	}
	return b.String()
}

// quote makes a quoted string (RFC 9110 section 5.6.4).
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
