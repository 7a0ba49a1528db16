package wall

import (
	"context"
	"errors"
	"net/http"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
)

// Chain is the chained audit of each node.
type Chain interface {
	// AuditChain returns at most limit rows of a node after one of them, "" being
	// this node. It returns alerts.ErrNotFound for a node that has none.
	AuditChain(ctx context.Context, node string, after int64, limit int) (audit.Part, error)
}

type auditInput struct {
	Before int64 `query:"before" minimum:"0" doc:"only rows before this one; 0: from the newest"`
	Limit  int   `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

func (s *Server) listAudit(ctx context.Context, in *auditInput) (*body[AuditPage], error) {
	if err := s.audited(ctx, callerOf(ctx).did("audit_read", "audit", "")); err != nil {
		return nil, err
	}
	rows, err := s.journal.Audit(ctx, in.Before, in.Limit)
	page := AuditPage{Rows: orEmpty(rows)}
	if len(rows) == in.Limit {
		page.Next = rows[len(rows)-1].Seq
	}
	return answer(page, err)
}

type chainInput struct {
	Node  string `query:"node" maxLength:"255" doc:"left out: this one"`
	After int64  `query:"after" minimum:"0" doc:"only rows after this one; next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
}

func (s *Server) auditChain(ctx context.Context, in *chainInput) (*body[AuditChainPage], error) {
	if err := s.audited(ctx, callerOf(ctx).did("audit_read", "audit", "chain")); err != nil {
		return nil, err
	}
	p, err := s.chain.AuditChain(ctx, in.Node, in.After, in.Limit)
	if errors.Is(err, alerts.ErrNotFound) {
		return nil, problem(http.StatusNotFound, "not_found", "there is no node "+quote(in.Node)+" that has an audit")
	}
	return answer(AuditChainPage{Head: p.Head, Rows: orEmpty(p.Rows), Checkpoints: orEmpty(p.Checkpoints), Next: p.Next}, err)
}

func (s *Server) auditKey(context.Context, *struct{}) (*body[AuditKey], error) {
	return answer(s.auditKeyOf, nil)
}
