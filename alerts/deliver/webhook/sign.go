package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"videopatrol/inventory"
)

// The headers of Standard Webhooks 1.0.0.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Tolerance is how far a receiver's clock may be from the sender's.
const Tolerance = 5 * time.Minute

// Errors of Verify.
var (
	ErrUnsigned = errors.New("the request carries no webhook headers")
	ErrStale    = errors.New("the request's timestamp is too far from now")
	ErrForged   = errors.New("no signature matches")
)

// key reads a secret: "whsec_" and the base64 of 24 to 64 bytes. Its errors
// repeat nothing of the secret.
func key(s inventory.Secret) ([]byte, error) {
	text, ok := strings.CutPrefix(s.Reveal(), "whsec_")
	if !ok {
		return nil, errors.New("a webhook secret begins with whsec_")
	}
	k, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("a webhook secret is base64 after whsec_")
	}
	if len(k) < 24 || len(k) > 64 {
		return nil, fmt.Errorf("a webhook secret has 24 to 64 bytes, this one has %d", len(k))
	}
	return k, nil
}

func keys(secrets []inventory.Secret) ([][]byte, error) {
	if len(secrets) == 0 {
		return nil, errors.New("a webhook needs a secret")
	}
	all := make([][]byte, len(secrets))
	for i, s := range secrets {
		k, err := key(s)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		all[i] = k
	}
	return all, nil
}

// sign returns the signature header: one signature for each key, so that a
// receiver may know the old or the new secret while it is changed.
func sign(all [][]byte, id, timestamp string, body []byte) string {
	sums := make([]string, len(all))
	for i, k := range all {
		sums[i] = "v1," + base64.StdEncoding.EncodeToString(mac(k, id, timestamp, body))
	}
	return strings.Join(sums, " ")
}

// mac is HMAC-SHA-256 over "id.timestamp.body" (Standard Webhooks 1.0.0,
// "Signature scheme").
func mac(key []byte, id, timestamp string, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(id + "." + timestamp + "."))
	m.Write(body)
	return m.Sum(nil)
}

// Verify says, for a receiver, whether a request is the sender's: nil,
// ErrUnsigned, ErrStale or ErrForged, or what is wrong with the secrets. A
// request may still be a repeat; its webhook-id tells.
func Verify(secrets []inventory.Secret, h http.Header, body []byte, now time.Time) error {
	all, err := keys(secrets)
	if err != nil {
		return err
	}
	id, timestamp, signatures := h.Get(HeaderID), h.Get(HeaderTimestamp), h.Get(HeaderSignature)
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || signatures == "" || err != nil {
		return ErrUnsigned
	}
	if age := now.Unix() - at; age > int64(Tolerance.Seconds()) || age < -int64(Tolerance.Seconds()) {
		return ErrStale
	}
	for s := range strings.FieldsSeq(signatures) {
		version, text, _ := strings.Cut(s, ",")
		sum, err := base64.StdEncoding.DecodeString(text)
		if version != "v1" || err != nil {
			continue
		}
		for _, k := range all {
			if hmac.Equal(sum, mac(k, id, timestamp, body)) {
				return nil
			}
		}
	}
	return ErrForged
}
