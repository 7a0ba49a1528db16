package main_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTLS: off loopback the wall speaks TLS by a certificate that it made, and
// the command line takes that as its authority.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "patrol.yaml")
	text := fmt.Sprintf("data: %s\nwall: {listen: 0.0.0.0:0}\nmetrics: {listen: 127.0.0.1:0}\ncanary: {enabled: false}\n", filepath.Join(dir, "data"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	gateway := start(t, "patrol", "serve", "--config", config)
	address, _ := gateway.ready["wall"].(string)
	if !strings.HasPrefix(address, "https://localhost:") {
		t.Fatalf("the wall is at %q", address)
	}
	ca := filepath.Join(dir, "data/wall.crt")
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	resp, err := client.Post(address+"/api/v1/login", "application/json", bytes.NewReader([]byte(`{"username":"officer","password":"wrong"}`)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Strict-Transport-Security") == "" || resp.ProtoMajor != 2 {
		t.Errorf("got %s %s %v", resp.Proto, resp.Status, resp.Header)
	}
	for ca, ok := range map[string]bool{ca: true, "": false} {
		out, err := exec.Command(filepath.Join(bin, "patrol"), "camera", "list", "--server", address,
			"--token-file", filepath.Join(dir, "data/admin.token"), "--ca", ca).CombinedOutput()
		if (err == nil) != ok {
			t.Errorf("camera list with authority %q: %v\n%s", ca, err, out)
		}
	}
}
