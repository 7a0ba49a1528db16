package rtsp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// certificate makes one, signed by the parent or by itself.
func certificate(t *testing.T, name string, until time.Time, useRSA bool, parent *tls.Certificate) tls.Certificate {
	t.Helper()
	var key interface{ Public() any }
	if useRSA {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		key = rsaKey{k}
	} else {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key = ecKey{k}
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, BasicConstraintsValid: true,
		IsCA: parent == nil, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	c := tls.Certificate{PrivateKey: private(key)}
	issuer, signer := template, c.PrivateKey
	if parent != nil {
		issuer, signer = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c.Certificate = [][]byte{der}
	if c.Leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

type (
	rsaKey struct{ *rsa.PrivateKey }
	ecKey  struct{ *ecdsa.PrivateKey }
)

func (k rsaKey) Public() any { return &k.PublicKey }
func (k ecKey) Public() any  { return &k.PublicKey }

func private(k any) any {
	if r, ok := k.(rsaKey); ok {
		return r.PrivateKey
	}
	return k.(ecKey).PrivateKey
}

func pin(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// TestRTSPS: whom the gateway trusts, and what it says of the others.
func TestRTSPS(t *testing.T) {
	later := time.Now().Add(time.Hour)
	ca := certificate(t, "ca", later, false, nil)
	good := certificate(t, "127.0.0.1", later, false, &ca)
	self := certificate(t, "127.0.0.1", later, false, nil)
	old := certificate(t, "127.0.0.1", time.Now().Add(-time.Hour), false, &ca)
	other := certificate(t, "camera.example", later, false, &ca)
	rsaOld := certificate(t, "x", time.Now().Add(-time.Hour), true, nil)
	ancient := &tls.Config{Certificates: []tls.Certificate{rsaOld}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}
	rsaOnly := &tls.Config{Certificates: []tls.Certificate{rsaOld}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA256}}
	is := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	tests := map[string]struct {
		server *tls.Config
		pin    string
		want   streams.Reason
		say    []string
	}{
		"a private CA":                {server: is(good)},
		"self-signed":                 {server: is(self), want: streams.ReasonCertificate, say: []string{"unknown authority", pin(self)}},
		"self-signed, pinned":         {server: is(self), pin: pin(self)},
		"expired":                     {server: is(old), want: streams.ReasonCertificate, say: []string{"expired", pin(old)}},
		"expired, pinned":             {server: is(old), pin: pin(old)},
		"another name":                {server: is(other), want: streams.ReasonCertificate, say: []string{"another name", pin(other)}},
		"another name, pinned":        {server: is(other), pin: pin(other)},
		"changed":                     {server: is(good), pin: pin(self), want: streams.ReasonCertificate, say: []string{"not the pinned one", pin(good)}},
		"TLS 1.0 with RSA and CBC":    {server: ancient, want: streams.ReasonUnsupported, say: []string{"pinned"}},
		"TLS 1.0, pinned":             {server: ancient, pin: pin(rsaOld)},
		"RSA key exchange":            {server: rsaOnly, want: streams.ReasonUnsupported, say: []string{"pinned"}},
		"RSA key exchange, pinned":    {server: rsaOnly, pin: pin(rsaOld)},
		"RSA key exchange, pin wrong": {server: rsaOnly, pin: pin(good), want: streams.ReasonCertificate, say: []string{pin(rsaOld)}},
	}
	cas := x509.NewCertPool()
	cas.AddCert(ca.Leaf)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cam, h := st.New(t, st.Options{TLS: tt.server, Username: "u", Password: "p"}), listen()
			target := streams.Target{URL: cam.URL(), Link: inventory.Link{Pin: tt.pin}, Login: inventory.Login{Username: "u", Password: "p"}}
			s, err := opener(t, rtsp.Options{CAs: cas}).Open(t.Context(), target, h.receiver())
			if streams.ReasonOf(err) != tt.want {
				t.Fatalf("reason %q, want %q: %v", streams.ReasonOf(err), tt.want, err)
			}
			for _, word := range tt.say {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			if err != nil {
				return
			}
			defer s.Close()
			for fill := range byte(3) {
				if err := cam.Send(cam.KeyUnit(fill)); err != nil {
					t.Fatal(err)
				}
				<-h.units
			}
			s.Close()
			cam.AwaitTeardowns(1)
		})
	}
}

// TestRTSPSIsNeverLeft: not for a camera that speaks in the clear, and not for
// UDP.
func TestRTSPSIsNeverLeft(t *testing.T) {
	cam := st.New(t, st.Options{UDP: true})
	target := streams.Target{URL: strings.Replace(cam.URL(), "rtsp://", "rtsps://", 1)}
	o := opener(t, rtsp.Options{Handshake: time.Second})
	_, err := o.Open(t.Context(), target, listen().receiver())
	if r := streams.ReasonOf(err); r != streams.ReasonNotRTSP && r != streams.ReasonTimeout && r != streams.ReasonClosed {
		t.Errorf("in the clear: %v", err)
	}
	target.Link.Transport = inventory.TransportUDP
	if _, err = o.Open(t.Context(), target, listen().receiver()); streams.ReasonOf(err) != streams.ReasonConfig {
		t.Errorf("udp: %v", err)
	}
	if cam.Plays() != 0 {
		t.Error("it plays")
	}
}

// TestFingerprint is the same in two sessions with one device, and another for
// another device.
func TestFingerprint(t *testing.T) {
	later := time.Now().Add(time.Hour)
	cert, other := certificate(t, "127.0.0.1", later, false, nil), certificate(t, "127.0.0.1", later, false, nil)
	cams := map[string]st.Options{
		"H.264": {}, "H.265": {H265: true},
		"TLS":         {TLS: &tls.Config{Certificates: []tls.Certificate{cert}}},
		"another TLS": {TLS: &tls.Config{Certificates: []tls.Certificate{other}}},
	}
	seen := map[string]string{}
	for name, o := range cams {
		cam := st.New(t, o)
		var prints []string
		for range 2 {
			r := listen().receiver()
			r.Opened = func(d streams.Description) { prints = append(prints, d.Fingerprint) }
			link := inventory.Link{}
			if o.TLS != nil {
				link.Pin = pin(o.TLS.Certificates[0])
			}
			s, err := opener(t, rtsp.Options{}).Open(t.Context(), streams.Target{URL: cam.URL(), Link: link}, r)
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		}
		if len(prints) != 2 || prints[0] != prints[1] || len(prints[0]) != 16 {
			t.Fatalf("%s: %q", name, prints)
		}
		if twin, ok := seen[prints[0]]; ok {
			t.Errorf("%s and %s look alike", name, twin)
		}
		seen[prints[0]] = name
	}
}
