package hostile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"time"
)

// authority is a certificate authority that lives as long as the process.
var authority = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the system has no randomness
	}
	return sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotAfter: time.Now().Add(24 * time.Hour),
	}, key, nil)
})

// sign makes a certificate; without a parent it signs itself.
func sign(c *x509.Certificate, key crypto.Signer, by *tls.Certificate) tls.Certificate {
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore = time.Now().Add(-48 * time.Hour)
	parent, signer := c, key
	if by != nil {
		parent = by.Leaf
		signer, _ = by.PrivateKey.(crypto.Signer)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		panic(err) // the template is ours
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// shows is a TLS configuration with a certificate for loopback.
func shows(lasts time.Duration, own bool, ips ...net.IP) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	by := authority()
	parent := &by
	if own {
		parent = nil
	}
	c := sign(&x509.Certificate{Subject: pkix.Name{CommonName: "camera"}, NotAfter: time.Now().Add(lasts), IPAddresses: ips}, key, parent)
	return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}
}

var loopback = net.IPv4(127, 0, 0, 1)

// What cameras show is made once.
var (
	good       = sync.OnceValue(func() *tls.Config { return shows(24*time.Hour, false, loopback) })
	selfSigned = sync.OnceValue(func() *tls.Config { return shows(24*time.Hour, true, loopback) })
	expired    = sync.OnceValue(func() *tls.Config { return shows(-time.Hour, false, loopback) })
	otherName  = sync.OnceValue(func() *tls.Config { return shows(24*time.Hour, false, net.IPv4(10, 9, 9, 9)) })
	rsaOnly    = sync.OnceValue(func() *tls.Config {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		by := authority()
		c := sign(&x509.Certificate{Subject: pkix.Name{CommonName: "camera"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{loopback}}, key, &by)
		return &tls.Config{
			Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		}
	})
)

// Trust is what trusts the certificate that a healthy camera shows at
// 127.0.0.1.
func Trust() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(authority().Leaf)
	return pool
}
