package rtsp

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// stage is how far a conversation got.
type stage string

const (
	stageDial     stage = "dial"
	stageDescribe stage = "DESCRIBE"
	stageSetup    stage = "SETUP"
	stagePlay     stage = "PLAY"
	stagePlaying  stage = "playing"
)

// maxText is how much of a camera's own words is kept.
const maxText = 120

// clip cuts text that a camera sent; whoever shows it quotes it.
func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

// hide takes the password out of text that a camera sent, also as it went in a
// header.
func hide(s string, login inventory.Login) string {
	password := login.Password.Reveal()
	if password == "" {
		return s
	}
	basic := base64.StdEncoding.EncodeToString([]byte(login.Username + ":" + password))
	return strings.NewReplacer(basic, "…", password, "…").Replace(s)
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
func explain(at stage, err error, login inventory.Login) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*streams.Error](err); ok {
		return e
	}
	text := hide(err.Error(), login)
	safe := &cameraError{text: string(at) + ": " + strconv.Quote(clip(text)), cause: err}
	return &streams.Error{Reason: reasonOf(at, err), Err: safe}
}

// reasonOf names what went wrong at a stage of the conversation.
func reasonOf(at stage, err error) streams.Reason {
	if e, ok := errors.AsType[liberrors.ErrClientBadStatusCode](err); ok {
		return reasonOfStatus(at, e.Code)
	}
	if r := reasonOfProtocol(err); r != streams.ReasonNone {
		return r
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return streams.ReasonUnreachable
	}
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH),
		errors.Is(err, syscall.EADDRNOTAVAIL):
		return streams.ReasonUnreachable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return streams.ReasonTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return streams.ReasonClosed
	default:
		return streams.ReasonProtocol
	}
}

// reasonOfProtocol names the library's own errors; ReasonNone for others.
func reasonOfProtocol(err error) streams.Reason {
	if _, ok := errors.AsType[liberrors.ErrClientAuthSetup](err); ok {
		return streams.ReasonAuth // it asks for a login in no way that we know
	}
	if _, ok := errors.AsType[liberrors.ErrClientRequestTimedOut](err); ok {
		return streams.ReasonTimeout
	}
	if _, ok := errors.AsType[liberrors.ErrClientTCPTimeout](err); ok {
		return streams.ReasonStalled
	}
	if _, ok := errors.AsType[liberrors.ErrClientUDPTimeout](err); ok {
		return streams.ReasonStalled
	}
	if _, ok := errors.AsType[liberrors.ErrClientTerminated](err); ok {
		return streams.ReasonClosed
	}
	if _, ok := errors.AsType[liberrors.ErrClientServerRequestedUDP](err); ok {
		return streams.ReasonUnsupported
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return streams.ReasonNotRTSP
	}
	if unreadable(err) {
		return streams.ReasonUnsupported
	}
	return streams.ReasonNone
}

// unreadable tells whether the camera keeps to the protocol, and says
// something that the library cannot read.
func unreadable(err error) bool {
	if _, ok := errors.AsType[liberrors.ErrClientSDPInvalid](err); ok {
		return true
	}
	if _, ok := errors.AsType[liberrors.ErrClientContentTypeMissing](err); ok {
		return true
	}
	if _, ok := errors.AsType[liberrors.ErrClientContentTypeUnsupported](err); ok {
		return true
	}
	if _, ok := errors.AsType[liberrors.ErrClientServerRequestedTCP](err); ok {
		return true
	}
	if _, ok := errors.AsType[liberrors.ErrClientTransportHeaderInvalid](err); ok {
		return true
	}
	if _, ok := errors.AsType[liberrors.ErrClientTransportHeaderInvalidDelivery](err); ok {
		return true
	}
	if _, ok := errors.AsType[liberrors.ErrClientTransportHeaderNoInterleavedIDs](err); ok {
		return true
	}
	_, ok := errors.AsType[liberrors.ErrClientTransportHeaderInvalidInterleavedIDs](err)
	return ok
}

// reasonOfStatus names a refusal by its status code (RFC 2326 section 7.1.1).
// Recorders answer 453, 503 or 500 when they have no session left.
func reasonOfStatus(at stage, code base.StatusCode) streams.Reason {
	switch code {
	case base.StatusUnauthorized, base.StatusForbidden:
		return streams.ReasonAuth
	case base.StatusNotFound, base.StatusGone:
		return streams.ReasonNotFound
	case base.StatusNotEnoughBandwidth, base.StatusServiceUnavailable:
		return streams.ReasonSessionLimit
	case base.StatusInternalServerError:
		if at == stageSetup || at == stagePlay {
			return streams.ReasonSessionLimit
		}
		return streams.ReasonProtocol
	case base.StatusUnsupportedTransport, base.StatusUnsupportedMediaType:
		return streams.ReasonUnsupported
	case base.StatusMovedPermanently, base.StatusFound, base.StatusSeeOther, base.StatusUseProxy:
		return streams.ReasonRedirect
	default:
		return streams.ReasonProtocol
	}
}
