package still

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// maxText is how much of a camera's own words is kept.
const maxText = 120

// safe cuts text that a camera sent, without the password.
func safe(text string, login inventory.Login) string {
	if p := login.Password.Reveal(); p != "" {
		text = strings.ReplaceAll(text, p, "…")
	}
	if len(text) > maxText {
		return text[:maxText] + "…"
	}
	return text
}

// cameraError keeps the cause for errors.Is, and shows a safe text: quoted,
// cut short, and without the password that a hostile camera may send back.
type cameraError struct {
	text  string
	cause error
}

func (e *cameraError) Error() string { return e.text }

func (e *cameraError) Unwrap() error { return e.cause }

// explain gives an error of the library or the system its Reason.
func explain(at string, err error, login inventory.Login) error {
	if e, ok := errors.AsType[*streams.Error](err); ok {
		return e
	}
	return &streams.Error{Reason: reasonOf(err), Err: &cameraError{text: at + ": " + strconv.Quote(safe(err.Error(), login)), cause: err}}
}

func reasonOf(err error) streams.Reason {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return streams.ReasonUnreachable
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return streams.ReasonCertificate
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return streams.ReasonCertificate
	}
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH),
		errors.Is(err, syscall.EADDRNOTAVAIL):
		return streams.ReasonUnreachable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return streams.ReasonTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
		return streams.ReasonClosed
	default:
		return streams.ReasonProtocol
	}
}

// refusal is what a status other than 200 and 304 means.
func refusal(status int) error {
	switch status {
	case http.StatusUnauthorized:
		return streams.Errorf(streams.ReasonAuth, "the camera refuses the login (401): check its user name and password")
	case http.StatusForbidden, http.StatusProxyAuthRequired:
		return streams.Errorf(streams.ReasonAuth, "the login may not fetch the picture (%d): give the camera's user that right", status)
	case http.StatusNotFound, http.StatusGone:
		return streams.Errorf(streams.ReasonNotFound, "the camera knows no picture at that address (%d): check its path", status)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return streams.Errorf(streams.ReasonSessionLimit, "the camera has no connection or picture left (%d): ask less often, or free one", status)
	default:
		return streams.Errorf(streams.ReasonProtocol, "the camera answers %d %s to a GET of its picture", status, http.StatusText(status))
	}
}
