package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/inventory/geo"
	"videopatrol/inventory/importer"
	inventorysql "videopatrol/inventory/sqlstore"
	"videopatrol/wall"
)

// maxIssues is how many rejected rows and warnings a report lists.
const maxIssues = 1000

// importing brings inventories in and out of the store for the wall.
type importing struct {
	store *inventorysql.Store
	// templates are the vendors' addresses; nil means the built-in ones.
	templates *importer.Templates
	// presets are what a zone's rules may be.
	presets func() *detect.Presets
}

// newImporting reads the site's templates, if it has any.
func newImporting(store *inventorysql.Store, templates string, presets func() *detect.Presets) (*importing, error) {
	i := &importing{store: store, presets: presets}
	if templates == "" {
		return i, nil
	}
	b, err := os.ReadFile(templates) //nolint:gosec // the configuration names it
	if err == nil {
		i.templates, err = importer.ParseTemplates(b)
	}
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return i, nil
}

// Import implements wall.Importer.
func (i *importing) Import(ctx context.Context, r wall.ImportRequest) (wall.ImportReport, error) {
	have, err := i.store.Snapshot(ctx)
	if err != nil {
		return wall.ImportReport{}, err
	}
	read := importer.Cameras
	if r.Format == "geojson" {
		read = importer.GeoJSON
	}
	plan, err := read(r.Body, have, importer.Options{
		CRS: geo.CRS(r.CRS), Replace: r.Replace, ExpectRemoved: r.ExpectRemoved, Templates: i.templates,
		CheckZone: i.presets().CheckZone,
	})
	var bad *importer.FileError
	switch {
	case errors.As(err, &bad):
		return wall.ImportReport{}, &wall.InputError{Why: bad.Error()}
	case err != nil:
		return wall.ImportReport{}, fmt.Errorf("reading the import: %w", err)
	}
	p := plan.Report
	report := wall.ImportReport{
		DryRun: r.DryRun, New: p.New, Changed: p.Changed, Same: p.Same, Removed: p.Removed, Rejected: p.Rejected,
		Rows: issues(p.Faults), Warnings: issues(p.Warnings),
	}
	if p.Refused != "" && !r.DryRun {
		return report, &wall.InputError{Why: p.Refused}
	}
	if r.DryRun || p.New+p.Changed+p.Removed == 0 {
		return report, nil
	}
	plan.Change.By, plan.Change.Note = r.By, "import of "+r.Format
	revision, err := i.store.Apply(ctx, plan.Change)
	if err != nil {
		return report, err
	}
	report.Revision = &revision
	return report, nil
}

func issues(list []importer.Issue) []wall.ImportReject {
	out := make([]wall.ImportReject, 0, min(len(list), maxIssues))
	for _, x := range list[:cap(out)] {
		out = append(out, wall.ImportReject{Line: x.Line, Column: x.Column, Value: x.Value, Reason: x.Reason})
	}
	return out
}

// Export implements wall.Importer.
func (i *importing) Export(ctx context.Context, w io.Writer, format string) error {
	have, err := i.store.Snapshot(ctx)
	if err != nil {
		return err
	}
	if format == "geojson" {
		return importer.WriteGrid(w, have.Grid)
	}
	return importer.WriteCameras(w, have.Cameras, importer.Format{BOM: true})
}

// Undo implements wall.Importer.
func (i *importing) Undo(ctx context.Context, revision int64, by string) (inventory.Revision, error) {
	return i.store.Undo(ctx, revision, by)
}

// Revisions implements wall.Importer.
func (i *importing) Revisions(ctx context.Context, limit int) ([]inventory.Revision, error) {
	return i.store.Revisions(ctx, limit)
}
