package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// client talks to a running gateway's API.
type client struct {
	server, token string
	http          *http.Client
}

// clientFlags are what every command that talks to a gateway takes.
type clientFlags struct {
	server, tokenFile, ca, output string
}

func (f *clientFlags) add(cmd *cobra.Command) {
	p := cmd.PersistentFlags()
	p.StringVar(&f.server, "server", "http://127.0.0.1:8080", "address of the gateway's wall")
	p.StringVar(&f.tokenFile, "token-file", "", "file that holds an API token (default data/admin.token)")
	p.StringVar(&f.ca, "ca", "", "PEM file of the authority that signed the gateway's certificate")
	p.StringVarP(&f.output, "output", "o", "table", "form of listings: table or json")
}

func (f *clientFlags) client() (*client, error) {
	c, err := f.anonymous()
	if err != nil {
		return nil, err
	}
	path := f.tokenFile
	if path == "" {
		path = "data/" + adminTokenFile
	}
	token, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("no API token: %w; name its file by --token-file (the gateway keeps the administrator's as %s in its data folder)", err, adminTokenFile)
	}
	c.token = strings.TrimSpace(string(token))
	return c, nil
}

// anonymous is a client without a token.
func (f *clientFlags) anonymous() (*client, error) {
	if f.output != "table" && f.output != "json" {
		return nil, usageError{fmt.Errorf("no such output %q (want table or json)", f.output)}
	}
	c := &client{server: strings.TrimSuffix(f.server, "/")}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", f.ca)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	c.http = &http.Client{
		Transport: transport, Timeout: 5 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the gateway never redirects") },
	}
	return c, nil
}

// problem is an RFC 9457 answer.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

func (p *problem) Error() string {
	s := p.Detail
	if s == "" {
		s = p.Title
	}
	for _, e := range p.Errors {
		s += fmt.Sprintf("; %s %s", e.Location, e.Message)
	}
	return s
}

// do sends a request and decodes the answer into out, unless out is nil; an
// io.Writer takes the answer as it is.
func (c *client) do(ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader, out any) error {
	u := c.server + "/api/v1" + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, body)
	if err != nil {
		return usageError{err}
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w; is the gateway running at %s?", err, c.server)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		p := &problem{Title: resp.Status, Status: resp.StatusCode}
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err := json.Unmarshal(b, p); err != nil && len(b) > 0 {
			p.Detail = resp.Status
		}
		return p
	}
	switch out := out.(type) {
	case nil:
		return nil
	case io.Writer:
		_, err = io.Copy(out, resp.Body)
		return err
	default:
		return json.NewDecoder(resp.Body).Decode(out)
	}
}

func (c *client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.do(ctx, http.MethodGet, path, query, "", nil, out)
}

func (c *client) post(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, nil, "application/json", bytes.NewReader(b), out)
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
