package wall_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/wall"
)

func TestCameras(t *testing.T) {
	w := newWorld(t)
	res := w.officer().get("/api/v1/cameras")
	golden(t, "testdata/cameras.json", res.body)
	for _, secret := range []string{"rtsp:", "10.9.8.7", "secret-path", "camuser", "campass"} {
		if strings.Contains(string(res.body), secret) {
			t.Errorf("the list gives away %q", secret)
		}
	}
	if ct := res.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type %q", ct)
	}
}

func TestCamerasPaged(t *testing.T) {
	w := newWorld(t)
	w.snapshot.Revision, w.snapshot.Cameras = 2, nil
	for i := range 25 {
		id := fmt.Sprintf("cam-%02d", i)
		w.snapshot.Cameras = append(w.snapshot.Cameras, inventory.Camera{ID: id, Name: "Gate " + id, Cell: "s1"})
		if i%2 == 0 {
			w.fleet[id] = streams.Status{Camera: id, State: streams.StateOffline, Reason: streams.ReasonTimeout}
		}
	}
	b := w.officer()
	list := func(query string) (ids []string, counts map[streams.State]int) {
		t.Helper()
		for cursor := ""; ; {
			var page wall.CameraList
			b.get("/api/v1/cameras?limit=7&"+query+"&cursor="+cursor).json(t, &page)
			for _, c := range page.Cameras {
				ids = append(ids, c.ID)
			}
			if counts = page.Counts; page.Next == "" {
				return ids, counts
			}
			cursor = page.Next
		}
	}
	ids, counts := list("")
	if len(ids) != 25 || counts[streams.StateOffline] != 13 || counts[streams.StateUnknown] != 12 {
		t.Errorf("all: %v %v", ids, counts)
	}
	ids, counts = list("state=offline")
	if len(ids) != 13 || counts[streams.StateUnknown] != 12 {
		t.Errorf("offline: %v %v", ids, counts)
	}
	if ids, _ = list("q=CAM-1"); len(ids) != 10 {
		t.Errorf("search: %v", ids)
	}
	if ids, _ = list("cell=c1"); len(ids) != 25 {
		t.Errorf("a cell above: %v", ids)
	}
	if ids, counts = list("cell=c9"); len(ids) != 0 || counts[streams.StateOffline] != 0 {
		t.Errorf("another cell: %v %v", ids, counts)
	}
	if res := b.get("/api/v1/cameras?state=broken"); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("unknown state: %d", res.StatusCode)
	}
}

func TestGrid(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	golden(t, "testdata/grid.json", b.get("/api/v1/grid").body)
	var sub wall.GridFeatures
	b.get("/api/v1/grid?level=subcell").json(t, &sub)
	if len(sub.Features) != 1 || sub.Features[0].Properties.Cameras[streams.StateOnline] != 1 {
		t.Errorf("sub-cells %+v", sub)
	}
	if res := b.get("/api/v1/grid?level=street"); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("no such level: %d", res.StatusCode)
	}
}

func BenchmarkListCameras60000(b *testing.B) {
	w := benchWorld(b, 60_000)
	request, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1/cameras?state=offline&limit=50", nil)
	request.Header.Set("Authorization", "Bearer "+w.token)
	for b.Loop() {
		res := &discard{header: http.Header{}}
		w.handler.ServeHTTP(res, request)
		if res.status != http.StatusOK {
			b.Fatal(res.status)
		}
	}
}
