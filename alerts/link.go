package alerts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MinLinkKey is the least length of a key for links, in bytes.
const MinLinkKey = 32

// Errors of VerifyLink.
var (
	ErrLinkForged  = errors.New("the link's token is not ours")
	ErrLinkExpired = errors.New("the link has expired")
)

// SignLink returns a token that shows, until it expires, that the gateway
// itself gave out the link to a picture. It fails on a key shorter than
// MinLinkKey.
func SignLink(key []byte, sha256 string, expires time.Time) (string, error) {
	if len(key) < MinLinkKey {
		return "", fmt.Errorf("a key for links has at least %d bytes, this one has %d", MinLinkKey, len(key))
	}
	at := strconv.FormatInt(expires.Unix(), 10)
	return at + "." + base64.RawURLEncoding.EncodeToString(linkMAC(key, sha256, at)), nil
}

// VerifyLink returns nil, ErrLinkForged or ErrLinkExpired.
func VerifyLink(key []byte, sha256, token string, now time.Time) error {
	at, sum, ok := strings.Cut(token, ".")
	mac, err := base64.RawURLEncoding.Strict().DecodeString(sum)
	if !ok || err != nil || len(key) < MinLinkKey || !hmac.Equal(mac, linkMAC(key, sha256, at)) {
		return ErrLinkForged
	}
	expires, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return ErrLinkForged
	}
	if now.Unix() >= expires {
		return ErrLinkExpired
	}
	return nil
}

// linkMAC is HMAC-SHA-256 (RFC 2104) over a label, the expiry and the hash.
// Neither of the last two is free text that could hold the separator.
func linkMAC(key []byte, picture, expires string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("evidence link v1\n" + expires + "\n" + picture))
	return m.Sum(nil)
}
