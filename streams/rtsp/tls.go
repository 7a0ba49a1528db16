package rtsp

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"strings"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// secure runs the TLS handshake with a camera and returns its certificate.
//
// With a pin exactly that certificate is good, whatever its name, issuer or
// end: then the pin is the trust, and what old cameras speak (TLS 1.0, key
// exchange by RSA, CBC) may be used, too. Without one the chain must lead to
// the system's roots or to those given.
func secure(ctx context.Context, c net.Conn, host string, link inventory.Link, cas *x509.CertPool) (*tls.Conn, *x509.Certificate, error) {
	var leaf *x509.Certificate
	config := &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection does it
		MinVersion:         tls.VersionTLS12,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return streams.Errorf(streams.ReasonCertificate, "the camera shows no TLS certificate")
			}
			leaf = s.PeerCertificates[0]
			if link.Pin != "" {
				return checkPin(leaf, link.Pin)
			}
			return checkChain(s.PeerCertificates, host, cas)
		},
	}
	if link.Pin != "" {
		config.MinVersion = tls.VersionTLS10
		for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
			for _, suite := range list {
				config.CipherSuites = append(config.CipherSuites, suite.ID)
			}
		}
	}
	t := tls.Client(c, config)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, nil, explainTLS(err, link.Pin != "")
	}
	return t, leaf, nil
}

// pinOf is a certificate's pin.
func pinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func checkPin(leaf *x509.Certificate, pin string) error {
	if seen := pinOf(leaf); seen != pin {
		return streams.Errorf(streams.ReasonCertificate, "the camera's TLS certificate is not the pinned one: its SHA-256 is %s; pin that if the certificate was renewed on purpose", seen)
	}
	return nil
}

func checkChain(chain []*x509.Certificate, host string, cas *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Intermediates: between})
	if err != nil && cas != nil {
		_, err = chain[0].Verify(x509.VerifyOptions{DNSName: host, Intermediates: between, Roots: cas})
	}
	if err == nil {
		return nil
	}
	return streams.Errorf(streams.ReasonCertificate, "the camera's TLS certificate %s; to trust it, pin its SHA-256 %s, or give the gateway its CA", whatIsWrong(err), pinOf(chain[0]))
}

// whatIsWrong says it in words; the library's own would repeat names that the
// camera chose.
func whatIsWrong(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "is signed by an unknown authority"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "is made out to another name"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return "has expired or is not valid yet"
	}
	return "is not valid"
}

// explainTLS names a failed handshake that the certificate check did not name.
func explainTLS(err error, pinned bool) error {
	if e, ok := errors.AsType[*streams.Error](err); ok {
		return e
	}
	// Alerts of the far end come as an OpError; a version that is too old has no
	// type of its own.
	e, ok := errors.AsType[*net.OpError](err)
	if ok && e.Op == "remote error" || strings.Contains(err.Error(), "protocol version") || strings.Contains(err.Error(), "cipher suite") {
		if pinned {
			return streams.Errorf(streams.ReasonUnsupported, "the camera and the gateway have no TLS version and cipher in common: %w", err)
		}
		return streams.Errorf(streams.ReasonUnsupported, "the camera and the gateway have no TLS version and cipher in common; old ones are spoken only where the camera's certificate is pinned: %w", err)
	}
	return err
}
