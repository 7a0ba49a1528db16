package streams_test

import (
	"context"
	"strings"
	"testing"

	"videopatrol/streams"
)

type named struct{ opened *string }

func (n named) Open(_ context.Context, t streams.Target, _ streams.Receiver) (streams.Session, error) {
	*n.opened = t.URL
	return nil, nil //nolint:nilnil // the test looks at what was opened
}

func TestOpeners(t *testing.T) {
	var rtsp, http string
	o := streams.Openers{"rtsp": named{&rtsp}, "http": named{&http}}
	for _, addr := range []string{"rtsp://10.0.0.1/a", "HTTP://10.0.0.2/b"} {
		if _, err := o.Open(t.Context(), streams.Target{URL: addr}, streams.Receiver{}); err != nil {
			t.Error(err)
		}
	}
	if rtsp != "rtsp://10.0.0.1/a" || http != "HTTP://10.0.0.2/b" {
		t.Errorf("opened %q and %q", rtsp, http)
	}
	for _, addr := range []string{"ftp://u:secret@10.0.0.1/", "10.0.0.1/a", "", "http://[", "rtsps://h"} {
		_, err := o.Open(t.Context(), streams.Target{URL: addr}, streams.Receiver{})
		if streams.ReasonOf(err) != streams.ReasonConfig || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
