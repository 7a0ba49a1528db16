package play_test

import (
	"bytes"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"videopatrol/cmd/citysim/play"
)

// With the first key unit at once, every session begins with one, whenever it
// joins.
func TestFirstKeyNow(t *testing.T) {
	t.Parallel()
	o := options()
	o.FirstKeyNow = true
	listen := serve(t, o)
	for i := range 4 {
		var types []byte
		begin := time.Now()
		err := watch(t, "rtsp://u:p@"+listen+"/cam/"+cameraID(t, i%2)+"/sub", func(nals [][]byte, _ *rtp.Packet) bool {
			types = append(types, nals[len(nals)-1][0]&0x1f)
			return len(types) < 3
		})
		if err != nil || !bytes.Equal(types[:3], []byte{5, 1, 1}) {
			t.Errorf("session %d begins with NAL units of types %v, %v", i, types, err)
		}
		if took := time.Since(begin); took > 1500*time.Millisecond {
			t.Errorf("session %d: three pictures took %v", i, took)
		}
	}
}

// What happens goes on when readers ask for key units all the time.
func TestFirstKeyNowSkipsNoHappening(t *testing.T) {
	t.Parallel()
	defer http.DefaultClient.CloseIdleConnections()
	o := options(play.Row{Camera: "1", Kind: play.Intrusion, For: play.Duration(3 * time.Second)})
	o.FirstKeyNow = true
	listen := serve(t, o)
	url := "rtsp://u:p@" + listen + "/cam/" + cameraID(t, 1) + "/sub"
	for range 300 {
		if err := once(t, url); err != nil {
			t.Fatal(err)
		}
		res, err := http.Get("http://" + above(t, listen) + "/ledger")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if strings.Contains(string(b), `"begin"`) && !strings.Contains(string(b), `"end":null`) {
			return
		}
	}
	t.Error("the intrusion does not end")
}

// Cameras that share a scene do not show the same picture.
func TestSharedScenes(t *testing.T) {
	t.Parallel()
	o := options()
	o.Cameras, o.Scenes, o.FirstKeyNow = 6, 2, true
	listen := serve(t, o)
	seen := map[string]int{}
	for i := range 6 {
		var key []byte
		if err := watch(t, "rtsp://u:p@"+listen+"/cam/"+cameraID(t, i)+"/sub", func(nals [][]byte, _ *rtp.Packet) bool {
			key = bytes.Join(nals, nil) // the parameter sets make it another picture, too
			return false
		}); err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(key)]; ok {
			t.Errorf("cameras %d and %d show the same picture", other, i)
		}
		seen[string(key)] = i
	}
}

// A still changes with each GOP, and is sent once.
func TestConditionalStill(t *testing.T) {
	t.Parallel()
	defer http.DefaultClient.CloseIdleConnections()
	listen := serve(t, options())
	get := func(header, value string) (code int, etag, modified string, body []byte) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodGet, "http://"+above(t, listen)+"/cam/"+cameraID(t, 0)+"/still.jpg", nil)
		req.SetBasicAuth("u", "p")
		if header != "" {
			req.Header.Set(header, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, res.Header.Get("ETag"), res.Header.Get("Last-Modified"), b
	}
	code, etag, modified, first := get("", "")
	if code != http.StatusOK || etag == "" || modified == "" {
		t.Fatalf("got %d, ETag %q, Last-Modified %q", code, etag, modified)
	}
	// The GOP may change between two requests, not between every two.
	fresh := func(header string) bool {
		for range 3 {
			_, etag, modified, _ := get("", "")
			value := etag
			if header == "If-Modified-Since" {
				value = modified
			}
			if code, _, _, b := get(header, value); code == http.StatusNotModified && len(b) == 0 {
				return true
			}
		}
		return false
	}
	if !fresh("If-None-Match") || !fresh("If-Modified-Since") {
		t.Error("what is known was sent again")
	}
	until(t, "another picture", func() bool {
		code, next, _, b := get("If-None-Match", etag)
		return code == http.StatusOK && next != etag && !bytes.Equal(b, first)
	})
	if _, _, _, b := get("", ""); len(b) > 0 {
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			t.Error(err)
		}
	}
}
