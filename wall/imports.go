package wall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"videopatrol/inventory"
)

// importRead is how long a whole import may take to arrive.
const importRead = 5 * time.Minute

// ImportRequest asks for one import, dry or for good.
type ImportRequest struct {
	// Format is csv (cameras) or geojson (cells, or cameras as points).
	Format string
	// CRS is the coordinate system of rows that name none: wgs84, gcj02, bd09.
	CRS    string
	DryRun bool
	// Replace removes cameras that the file does not name.
	Replace bool
	// ExpectRemoved lets a large Replace pass: the exact number that will go.
	ExpectRemoved *int
	By            string
	Body          io.Reader
}

// Importer brings inventories in and out. Import and Export return
// *InputError for what a person has to set right; Import returns
// inventory.ErrConflict when the inventory moved meanwhile.
type Importer interface {
	Import(ctx context.Context, r ImportRequest) (ImportReport, error)
	Export(ctx context.Context, w io.Writer, format string) error
	Undo(ctx context.Context, revision int64, by string) (inventory.Revision, error)
	Revisions(ctx context.Context, limit int) ([]inventory.Revision, error)
}

type importInput struct {
	Format        string `query:"format" enum:"csv,geojson" default:"csv"`
	CRS           string `query:"crs" enum:"wgs84,gcj02,bd09" default:"wgs84" doc:"of rows that name none"`
	DryRun        bool   `query:"dry_run" doc:"true: only report what would be done"`
	Replace       bool   `query:"replace" doc:"true: remove cameras that the file does not name"`
	ExpectRemoved int    `query:"expect_removed" minimum:"-1" default:"-1" doc:"lets a large replace pass: the exact number that will go"`

	r *http.Request
	w http.ResponseWriter
}

// Resolve keeps the request: an import is read as it comes, not held whole.
func (in *importInput) Resolve(hc huma.Context) []error {
	in.r, in.w = humago.Unwrap(hc)
	return nil
}

func (s *Server) importInventory(ctx context.Context, in *importInput) (*body[ImportReport], error) {
	// A writer that knows no deadline (a test's) has no slow client either.
	rc, now := http.NewResponseController(in.w), time.Now()
	_ = rc.SetReadDeadline(now.Add(importRead))
	_ = rc.SetWriteDeadline(now.Add(importRead + answerWithin))
	file, err := importFile(in.r, http.MaxBytesReader(in.w, in.r.Body, importBody))
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	req := ImportRequest{
		Format: in.Format, CRS: in.CRS, DryRun: in.DryRun, Replace: in.Replace, By: who.Name, Body: file,
	}
	if in.ExpectRemoved >= 0 {
		req.ExpectRemoved = &in.ExpectRemoved
	}
	var report ImportReport
	work := func(ctx context.Context) (err error) {
		report, err = s.importer.Import(ctx, req)
		return err
	}
	if in.DryRun {
		err = work(ctx)
	} else {
		detail := fmt.Sprintf("format=%s crs=%s replace=%t", in.Format, in.CRS, in.Replace)
		err = s.along(ctx, who.did("import", "inventory", detail), work)
	}
	if err != nil {
		return nil, importProblem(err)
	}
	report.Rows, report.Warnings = orEmpty(report.Rows), orEmpty(report.Warnings)
	return answer(report, nil)
}

// importFile is the body, or the first file of a form.
func importFile(r *http.Request, raw io.ReadCloser) (io.Reader, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return raw, nil //nolint:nilerr // without a readable type the body is taken as the file
	}
	r = r.Clone(r.Context())
	r.Body = raw
	form, err := r.MultipartReader()
	if err != nil || params["boundary"] == "" {
		return nil, problem(http.StatusUnprocessableEntity, "invalid", "the form cannot be read: send one file")
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, "invalid", "the form holds no file")
		}
		if part.FileName() != "" {
			return part, nil
		}
	}
}

func importProblem(err error) error {
	if e, ok := errors.AsType[*InputError](err); ok {
		return problem(http.StatusUnprocessableEntity, "invalid", e.Why)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem(http.StatusRequestEntityTooLarge, "too_large", "an import has at most "+strconv.Itoa(importBody>>20)+" MiB; split it")
	}
	switch {
	case errors.Is(err, inventory.ErrConflict):
		return problem(http.StatusConflict, "conflict", "the inventory changed meanwhile; look at the newest revision and try again")
	case errors.Is(err, inventory.ErrNotFound):
		return problem(http.StatusNotFound, "not_found", "there is no such revision")
	}
	return err
}

type exportInput struct {
	Format string `query:"format" enum:"csv,geojson" default:"csv"`
}

type exportOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (s *Server) exportInventory(ctx context.Context, in *exportInput) (*exportOutput, error) {
	if err := s.audited(ctx, callerOf(ctx).did("export", "inventory", in.Format)); err != nil {
		return nil, err
	}
	var file bytes.Buffer // whole, so that an error is an answer and not half a file
	if err := s.importer.Export(ctx, &file, in.Format); err != nil {
		return nil, importProblem(err)
	}
	out := &exportOutput{ContentType: "text/csv; charset=utf-8", Disposition: `attachment; filename="cameras.csv"`, Body: file.Bytes()}
	if in.Format == "geojson" {
		out.ContentType, out.Disposition = "application/geo+json", `attachment; filename="cells.geojson"`
	}
	return out, nil
}

type revisionsInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

func (s *Server) listRevisions(ctx context.Context, in *revisionsInput) (*body[RevisionList], error) {
	list, err := s.importer.Revisions(ctx, in.Limit)
	return answer(RevisionList{Revisions: orEmpty(list)}, err)
}

type revisionInput struct {
	ID int64 `path:"id" minimum:"1"`
}

func (s *Server) undoRevision(ctx context.Context, in *revisionInput) (*body[inventory.Revision], error) {
	who := callerOf(ctx)
	var r inventory.Revision
	err := s.along(ctx, who.did("undo", "revision/"+strconv.FormatInt(in.ID, 10), ""), func(ctx context.Context) (err error) {
		r, err = s.importer.Undo(ctx, in.ID, who.Name)
		return err
	})
	if errors.Is(err, inventory.ErrConflict) {
		return nil, problem(http.StatusConflict, "conflict", "a later revision touched the same cameras; undo that one first")
	}
	if err != nil {
		return nil, importProblem(err)
	}
	return answer(r, nil)
}
