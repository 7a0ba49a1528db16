package wall_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/wall"
)

const stillPath = "/api/v1/cameras/" + camera1 + "/still.jpg"

func TestStillIsAuditedFirst(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	res := b.get(stillPath + "?purpose=%E8%BD%AE%E5%B7%A1")
	if res.StatusCode != http.StatusOK || !bytes.Equal(res.body, jpeg) {
		t.Fatalf("%d %q", res.StatusCode, res.body)
	}
	if got := res.Header.Get("Cache-Control") + " " + res.Header.Get("Content-Type"); got != "no-store image/jpeg" {
		t.Errorf("headers %q", got)
	}
	rows := w.journal.actions("view")
	want := alerts.AuditRow{Seq: 2, At: noon, By: "officer", Action: "view", Object: "camera/" + camera1, Purpose: "轮巡", Client: "127.0.0.1"}
	if len(rows) != 1 || rows[0] != want {
		t.Fatalf("audit %+v, want %+v", rows, want)
	}
	w.pass(59 * time.Second)
	b.get(stillPath + "?purpose=%E8%BD%AE%E5%B7%A1")
	if n := len(w.journal.actions("view")); n != 1 {
		t.Errorf("%d rows within the minute", n)
	}
	b.get(stillPath) // another purpose
	w.as(wall.RoleOfficer).get(stillPath)
	if n := len(w.journal.actions("view")); n != 3 {
		t.Errorf("%d rows for another purpose and another person", n)
	}
	w.pass(2 * time.Second)
	b.get(stillPath + "?purpose=%E8%BD%AE%E5%B7%A1")
	if n := len(w.journal.actions("view")); n != 4 {
		t.Errorf("%d rows after the minute", n)
	}
	if res := b.get(stillPath + "?purpose=%20"); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a blank purpose: %d", res.StatusCode)
	}
}

// TestNoAuditNoPicture is P1 of the house: when the audit cannot be written,
// not one byte of a picture leaves.
func TestNoAuditNoPicture(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	token, err := alerts.SignLink(linkKey, proofID, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	w.journal.fail(errors.New("disk full"))
	for _, path := range []string{
		stillPath, "/api/v1/evidence/" + lead2 + "/" + proofID + ".jpg", wall.LinkPath(proofID, token),
	} {
		res := b.get(path)
		if res.StatusCode != http.StatusServiceUnavailable || bytes.Contains(res.body, []byte("\xff\xd8")) {
			t.Errorf("%s: %d %q", path, res.StatusCode, res.body)
		}
		if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" {
			t.Errorf("%s: content type %s", path, ct)
		}
	}
	w.journal.fail(nil)
	if res := b.get(stillPath); res.StatusCode != http.StatusOK {
		t.Errorf("once the audit works again: %d", res.StatusCode)
	}
	if n := w.desk.open.Load(); n != 0 {
		t.Errorf("%d files were left open", n)
	}
}

// TestExplain: whoever reads sees the figures, and only whoever may look the
// pictures, audited first.
func TestExplain(t *testing.T) {
	w := newWorld(t)
	path := "/api/v1/cameras/" + camera1 + "/explain"
	var e detect.Explanation
	res := w.officer().get(path + "?purpose=why")
	if err := json.Unmarshal(res.body, &e); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s: %v", res.StatusCode, res.body, err)
	}
	if !bytes.Equal(e.Picture, jpeg) || !bytes.Equal(e.Background, jpeg) || len(e.Rules) != 1 || e.Rules[0].State != detect.RulePending {
		t.Errorf("an officer sees %+v", e)
	}
	if rows := w.journal.actions("view"); len(rows) != 1 || rows[0].Object != "camera/"+camera1 || rows[0].Purpose != "why" {
		t.Errorf("audit %+v", rows)
	}
	e = detect.Explanation{}
	res = w.as(wall.RoleAdmin).get(path)
	if err := json.Unmarshal(res.body, &e); err != nil || res.StatusCode != http.StatusOK || e.Picture != nil || e.Background != nil || len(e.Rules) != 1 {
		t.Errorf("an administrator sees %d %s: %v", res.StatusCode, res.body, err)
	}
	if n := len(w.journal.actions("view")); n != 1 {
		t.Errorf("%d views, of which an administrator had none", n)
	}
	w.journal.fail(errors.New("disk full"))
	if res := w.as(wall.RoleDispatcher).get(path); res.StatusCode != http.StatusServiceUnavailable || bytes.Contains(res.body, []byte("rules")) {
		t.Errorf("without audit: %d %s", res.StatusCode, res.body)
	}
	w.journal.fail(nil)
	for _, id := range []string{camera2, "nobody"} {
		if res := w.officer().get("/api/v1/cameras/" + id + "/explain"); res.StatusCode != http.StatusNotFound {
			t.Errorf("camera %s: %d", id, res.StatusCode)
		}
	}
}

func TestEvidence(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	res := b.get("/api/v1/evidence/" + lead2 + "/" + proofID + ".jpg")
	if res.StatusCode != http.StatusOK || !bytes.Equal(res.body, proof) || res.Header.Get("Content-Type") != "image/jpeg" {
		t.Fatalf("%d %q %v", res.StatusCode, res.body, res.Header)
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Error("a view from a cache would not be audited")
	}
	rows := w.journal.actions("view")
	if len(rows) != 1 || rows[0].Object != "lead/"+lead2+" camera/"+camera1 || rows[0].Purpose != "triage" {
		t.Errorf("audit %+v", rows)
	}
	// Two zones of one frame raise two leads with the same picture.
	if res := b.get("/api/v1/evidence/" + lead1 + "/" + proofID + ".jpg"); res.StatusCode != http.StatusOK {
		t.Errorf("of the other lead of the same frame: %d", res.StatusCode)
	}
	w.desk.leads[1].Evidence = nil
	for name, path := range map[string]string{
		"of another lead": lead1 + "/" + proofID + ".jpg",
		"unknown":         lead2 + "/" + sha([]byte("x")) + ".jpg",
		"upper case":      lead2 + "/" + strings.ToUpper(proofID) + ".jpg",
		"no hash":         lead2 + "/..%2f..%2fetc%2fpasswd",
		"no extension":    lead2 + "/" + proofID,
	} {
		if res := b.get("/api/v1/evidence/" + path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	if res := w.anyone().get("/api/v1/evidence/" + lead2 + "/" + proofID + ".jpg"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without login: %d", res.StatusCode)
	}
	if res := b.do("GET", "/api/v1/evidence/"+lead2+"/"+proofID+".jpg", nil, "Range", "bytes=0-1"); res.StatusCode != http.StatusPartialContent || len(res.body) != 2 {
		t.Errorf("range: %d %d", res.StatusCode, len(res.body))
	}
	if n := w.desk.open.Load(); n != 0 {
		t.Errorf("%d files were left open", n)
	}
}

func TestLinkedEvidence(t *testing.T) {
	w := newWorld(t)
	sign := func(key []byte, sum string, d time.Duration) string {
		token, err := alerts.SignLink(key, sum, noon.Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	receiver := w.anyone()
	res := receiver.get(wall.LinkPath(proofID, sign(linkKey, proofID, time.Hour)))
	if res.StatusCode != http.StatusOK || !bytes.Equal(res.body, proof) {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	rows := w.journal.actions("view")
	if len(rows) != 1 || !strings.HasPrefix(rows[0].By, "link:") || rows[0].Purpose != "dispatch" {
		t.Errorf("audit %+v", rows)
	}
	for name, path := range map[string]string{
		"expired":         wall.LinkPath(proofID, sign(linkKey, proofID, -time.Second)),
		"another picture": wall.LinkPath(proofID, sign(linkKey, sha([]byte("x")), time.Hour)),
		"another key":     wall.LinkPath(proofID, sign(bytes.Repeat([]byte("x"), 32), proofID, time.Hour)),
		"nonsense":        wall.LinkPath(proofID, "x"),
	} {
		if res := receiver.get(path); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	if res := receiver.get("/api/v1/evidence/" + proofID + ".jpg"); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("no token: %d", res.StatusCode)
	}
}

func TestNoStillYet(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	for _, id := range []string{camera2, "no-such-camera"} {
		if res := b.get("/api/v1/cameras/" + id + "/still.jpg"); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", id, res.StatusCode)
		}
	}
	if n := len(w.journal.actions("view")); n != 0 {
		t.Errorf("%d rows for pictures that nobody saw", n)
	}
}

// TestLeasesShareRows: while one row is being written, the views that come
// share the next one, and each waits for the row that names it.
func TestLeasesShareRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var rows []string
		leases := wall.NewLeases(func(_ context.Context, r alerts.AuditRow) error {
			time.Sleep(10 * time.Millisecond) // a disk
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, r.Object)
			return nil
		}, time.Now)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				object := "camera/" + strconv.Itoa(1000+i%100)
				if err := leases(t.Context(), "officer", object); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if !strings.Contains(strings.Join(rows, ", ")+",", object+",") {
					t.Errorf("%s was shown before its row", object)
				}
			})
		}
		wg.Wait()
		if len(rows) > 3 {
			t.Errorf("%d rows for 100 objects: %v", len(rows), rows)
		}
	})
}

// TestLeaseFailsAlone: a row that cannot be written covers nobody, and the
// next view tries anew; a viewer who leaves takes nobody along.
func TestLeaseFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fail error
		leases := wall.NewLeases(func(ctx context.Context, _ alerts.AuditRow) error {
			select {
			case <-time.After(time.Second):
				return fail
			case <-ctx.Done():
				return ctx.Err()
			}
		}, time.Now)
		fail = errors.New("disk full")
		if err := leases(t.Context(), "officer", "camera/1"); !errors.Is(err, fail) {
			t.Errorf("got %v", err)
		}
		fail = nil
		leaving, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = leases(leaving, "officer", "camera/1") })
		synctest.Wait() // it writes the row
		cancel()
		wg.Go(func() {
			if err := leases(t.Context(), "officer", "camera/1"); err != nil {
				t.Errorf("a neighbour left and took the row along: %v", err)
			}
		})
		wg.Wait()
		hung := wall.NewLeases(func(ctx context.Context, _ alerts.AuditRow) error {
			<-ctx.Done()
			return ctx.Err()
		}, time.Now)
		began := time.Now()
		if err := hung(t.Context(), "officer", "camera/1"); err == nil || time.Since(began) > 10*time.Second {
			t.Errorf("a hung audit: %v after %s", err, time.Since(began))
		}
	})
}
