package wall

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	heartbeat   = 15 * time.Second
	streamWrite = 10 * time.Second // the longest one write may take
)

type streamInput struct {
	Header string `header:"Last-Event-ID" maxLength:"64"`
	Query  string `query:"last_event_id" maxLength:"64" doc:"for clients that cannot set the header"`
}

// stream serves live events (text/event-stream, WHATWG HTML 9.2). It ends when
// the session ends, when the client falls behind, and when the hub closes.
func (s *Server) stream(ctx context.Context, in *streamInput) (*huma.StreamResponse, error) {
	seen := in.Header
	if seen == "" {
		seen = in.Query
	}
	who := callerOf(ctx)
	c, first, err := s.hub.join(who.Name, who.key, seen)
	if err != nil {
		p := problem(http.StatusServiceUnavailable, "unavailable", err.Error())
		p.header = http.Header{"Retry-After": {"5"}}
		return nil, p
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer s.hub.leave(c)
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		alive := func(ctx context.Context) error {
			// A stream is no sign of a person: it does not keep its session alive.
			_, err := s.accounts.holder(ctx, who.key, false)
			return err
		}
		if err := s.hub.pump(hc.Context(), w, c, first, alive); err != nil {
			s.log.Debug("stream ended", "user", who.Name, "error", err)
		}
	}}, nil
}

// pump writes events until the stream ends. At each heartbeat it asks whether
// the session still holds.
func (h *Hub) pump(ctx context.Context, w http.ResponseWriter, c *client, first []event, alive func(context.Context) error) error {
	rc := http.NewResponseController(w)
	writeUntil := func(t time.Time) error {
		if err := rc.SetWriteDeadline(t); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		return nil
	}
	write := func(frame []byte) error {
		if err := writeUntil(time.Now().Add(streamWrite)); err != nil {
			return err
		}
		if _, err := w.Write(frame); err != nil {
			return err
		}
		if err := rc.Flush(); err != nil {
			return err
		}
		return writeUntil(time.Time{}) // HTTP/2 resets a stream whose deadline passes, idle or not
	}
	// The server's time for reading a request would end the stream.
	if err := rc.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := write([]byte("retry: 2000\n\n")); err != nil {
		return err
	}
	for _, e := range first {
		if err := write(h.frame(e)); err != nil {
			return err
		}
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.gone:
			return c.why
		case e := <-c.events:
			if err := write(h.frame(e)); err != nil {
				return err
			}
		case <-beat.C:
			if err := alive(ctx); err != nil {
				return err
			}
			if err := write([]byte(": \n\n")); err != nil {
				return err
			}
		}
	}
}

// frame is an event as it goes over the wire. JSON holds no line break, so
// one data line is enough.
func (h *Hub) frame(e event) []byte {
	b := make([]byte, 0, len(e.data)+64)
	if e.id != 0 || e.name == "reset" {
		b = append(append(append(b, "id: "...), h.id(e)...), '\n')
	}
	b = append(append(append(b, "event: "...), e.name...), '\n')
	b = append(append(append(b, "data: "...), e.data...), '\n', '\n')
	return b
}
