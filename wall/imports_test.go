package wall_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"videopatrol/inventory"
	"videopatrol/wall"
)

func TestImport(t *testing.T) {
	w := newWorld(t)
	admin := w.login("admin", w.password("admin"))
	const path = "/api/v1/inventory/imports"
	res := admin.do("POST", path+"?dry_run=true&crs=gcj02", "id,name\n1,a\n", "Content-Type", "text/csv")
	if res.StatusCode != http.StatusOK || string(w.importer.body) != "id,name\n1,a\n" {
		t.Fatalf("%d %s %q", res.StatusCode, res.body, w.importer.body)
	}
	golden(t, "testdata/import.json", res.body)
	if got := w.importer.got; !got.DryRun || got.CRS != "gcj02" || got.Format != "csv" || got.By != "admin" || got.ExpectRemoved != nil {
		t.Errorf("asked %+v", got)
	}
	if len(w.journal.actions("import")) != 0 {
		t.Error("a dry run changes nothing, and is no row of the audit")
	}
	form := "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.geojson\"\r\n\r\n{}\r\n--x--\r\n"
	res = admin.do("POST", path+"?format=geojson&replace=true&expect_removed=0", form, "Content-Type", "multipart/form-data; boundary=x")
	if res.StatusCode != http.StatusOK || string(w.importer.body) != "{}" {
		t.Errorf("%d %s %q", res.StatusCode, res.body, w.importer.body)
	}
	if got := w.importer.got; got.DryRun || !got.Replace || got.ExpectRemoved == nil || *got.ExpectRemoved != 0 {
		t.Errorf("asked %+v", got)
	}
	if len(w.journal.actions("import")) != 1 {
		t.Error("the import is not in the audit")
	}
	if res := admin.do("POST", path, "--x--\r\n", "Content-Type", "multipart/form-data; boundary=x"); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an empty form: %d", res.StatusCode)
	}
	for want, err := range map[int]error{
		http.StatusUnprocessableEntity:   &wall.InputError{Why: "line 1: no column id"},
		http.StatusConflict:              inventory.ErrConflict,
		http.StatusRequestEntityTooLarge: &http.MaxBytesError{Limit: 1},
		http.StatusInternalServerError:   errors.New("disk /var/lib is on fire"),
	} {
		w.importer.err = err
		res := admin.do("POST", path, "id\n", "Content-Type", "text/csv")
		if res.StatusCode != want || strings.Contains(string(res.body), "/var/lib") {
			t.Errorf("%v: %d %s", err, res.StatusCode, res.body)
		}
	}
	w.importer.err = nil
	w.importer.body = nil
	w.journal.fail(errors.New("disk full"))
	if res := admin.do("POST", path, "id\n", "Content-Type", "text/csv"); res.StatusCode != http.StatusServiceUnavailable || w.importer.body != nil {
		t.Errorf("an import without audit: %d", res.StatusCode)
	}
}

func TestExportAndUndo(t *testing.T) {
	w := newWorld(t)
	admin := w.login("admin", w.password("admin"))
	res := admin.get("/api/v1/inventory/export")
	if string(res.body) != "as csv" || res.Header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		!strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%q %v", res.body, res.Header)
	}
	res = admin.get("/api/v1/inventory/export?format=geojson")
	if string(res.body) != "as geojson" || res.Header.Get("Content-Type") != "application/geo+json" {
		t.Errorf("%q %v", res.body, res.Header)
	}
	var list wall.RevisionList
	admin.get("/api/v1/inventory/revisions").json(t, &list)
	if len(list.Revisions) != 1 {
		t.Errorf("revisions %+v", list)
	}
	var undone inventory.Revision
	admin.do("POST", "/api/v1/inventory/revisions/4/undo", nil).json(t, &undone)
	if undone.Undoes != 4 || undone.By != "admin" {
		t.Errorf("undone %+v", undone)
	}
	w.importer.err = inventory.ErrNotFound
	if res := admin.do("POST", "/api/v1/inventory/revisions/9/undo", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("no such revision: %d", res.StatusCode)
	}
	for action, want := range map[string]int{"export": 2, "undo": 1} { // what was refused changed nothing
		if got := len(w.journal.actions(action)); got != want {
			t.Errorf("%d audit rows of %s, want %d", got, action, want)
		}
	}
}

func TestAudit(t *testing.T) {
	w := newWorld(t)
	auditor := w.as(wall.RoleAuditor)
	w.officer().get(stillPath)
	var page wall.AuditPage
	auditor.get("/api/v1/audit?limit=2").json(t, &page)
	if len(page.Rows) != 2 || page.Rows[0].Action != "audit_read" || page.Rows[1].Action != "view" || page.Next == 0 {
		t.Fatalf("first page %+v", page)
	}
	var rest wall.AuditPage
	auditor.get("/api/v1/audit?limit=2&before=2").json(t, &rest)
	if len(rest.Rows) != 1 || rest.Rows[0].Action != "login" {
		t.Errorf("rest %+v", rest)
	}
}
