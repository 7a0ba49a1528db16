package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/inventory/sqldb"
)

var _ audit.Ledger = (*Store)(nil)

// auditTx is a transaction that adds to a node's audit.
type auditTx struct {
	tx
	node string
}

var _ alerts.Tx = auditTx{}

// AddAudit chains a row to the node's audit. The head of the chain is a row of
// this transaction: what is rolled back was never chained.
func (t auditTx) AddAudit(ctx context.Context, row alerts.AuditRow) error {
	if err := t.link(ctx, row); err != nil {
		return fmt.Errorf("audit: %w: %w", alerts.ErrUnwritten, err)
	}
	return nil
}

func (t auditTx) link(ctx context.Context, row alerts.AuditRow) error {
	row = audit.Clean(row)
	row.Node, row.At = t.node, sqldb.Time(sqldb.Micros(row.At))
	var prev []byte
	err := t.QueryRowContext(ctx, `UPDATE audit_heads SET seq = seq + 1 WHERE node = $1 RETURNING seq, hash`,
		t.node).Scan(&row.Seq, &prev)
	if err != nil {
		return fmt.Errorf("take the chain's head: %w", err)
	}
	before, err := hashOf(prev)
	if err != nil {
		return err
	}
	hash := audit.Link(before, row)
	if err := t.exec(ctx, `
		INSERT INTO audit_rows (node, seq, at, made_by, action, object, purpose, client, detail, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		row.Node, row.Seq, sqldb.Micros(row.At), row.By, row.Action, row.Object, row.Purpose, row.Client, row.Detail, hash[:]); err != nil {
		return fmt.Errorf("add row %d: %w", row.Seq, err)
	}
	return t.exec(ctx, `UPDATE audit_heads SET hash = $1 WHERE node = $2`, hash[:], t.node)
}

// carryBatch is how many rows of before the chain one transaction carries.
const carryBatch = 1000

// beginAudit begins the node's chain with its first row, and carries the rows
// into it that were written before there was a chain.
func (s *Store) beginAudit(ctx context.Context) error {
	for carried := carryBatch; carried == carryBatch; {
		if err := s.db.Write(ctx, func(t *sqldb.Tx) (err error) {
			if err = (auditTx{tx{t}, s.node}).begin(ctx); err != nil {
				return err
			}
			carried, err = auditTx{tx{t}, s.node}.carry(ctx)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// begin writes the first row of a chain that has none, and what it says of
// the rows that are to be carried.
func (t auditTx) begin(ctx context.Context) error {
	added, err := t.ExecContext(ctx, `INSERT INTO audit_heads (node, seq, hash) VALUES ($1, 0, $2) ON CONFLICT (node) DO NOTHING`,
		t.node, make([]byte, len(audit.Hash{})))
	if err != nil {
		return err
	}
	if n, err := added.RowsAffected(); err != nil || n == 0 {
		return err
	}
	first := audit.First(t.node)
	first.At = t.Now()
	if err := t.link(ctx, first); err != nil {
		return err
	}
	var old int64
	if err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit`).Scan(&old); err != nil || old == 0 {
		return err
	}
	return t.link(ctx, alerts.AuditRow{
		At: t.Now(), By: alerts.System, Action: "chain_carry", Object: "node/" + t.node,
		Detail: fmt.Sprintf("the %d rows that follow were written before there was a chain: until now nothing guarded them", old),
	})
}

// carry moves the oldest rows of before the chain into it, and counts them.
func (t auditTx) carry(ctx context.Context) (int, error) {
	old, err := sqldb.All(ctx, t.Tx, scanAudit, `SELECT '', seq, at, made_by, action, object, purpose, client, detail
		FROM audit ORDER BY seq LIMIT $1`, carryBatch)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	for _, row := range old {
		if err := t.link(ctx, row); err != nil {
			return 0, err
		}
	}
	return len(old), t.exec(ctx, `DELETE FROM audit WHERE seq <= $1`, old[len(old)-1].Seq)
}

// errHash says that a hash in the database is none. Who writes stops there;
// who verifies is shown it.
var errHash = errors.New("column hash is damaged")

func hashOf(b []byte) (h audit.Hash, err error) {
	if copy(h[:], b); len(b) != len(h) {
		return h, errHash
	}
	return h, nil
}

const auditColumns = `node, seq, at, made_by, action, object, purpose, client, detail`

func scanAudit(r *sql.Rows) (alerts.AuditRow, error) {
	var a alerts.AuditRow
	var at int64
	err := r.Scan(&a.Node, &a.Seq, &at, &a.By, &a.Action, &a.Object, &a.Purpose, &a.Client, &a.Detail)
	a.At = sqldb.Time(at)
	return a, err
}

// Audit lists rows of this node, newest first, before a sequence number (0:
// the end).
func (s *Store) Audit(ctx context.Context, before int64, limit int) ([]alerts.AuditRow, error) {
	return read(ctx, s, func(t tx) ([]alerts.AuditRow, error) {
		return sqldb.All(ctx, t.Tx, scanAudit, `SELECT `+auditColumns+` FROM audit_rows
			WHERE node = $1 AND (CAST($2 AS BIGINT) = 0 OR seq < $3) ORDER BY seq DESC LIMIT $4`, s.node, before, before, limit)
	})
}

// AuditChain returns a part of a node's chain, "" being this node; see
// audit.Part. It returns alerts.ErrNotFound for a node that has none.
func (s *Store) AuditChain(ctx context.Context, node string, after int64, limit int) (audit.Part, error) {
	if node == "" {
		node = s.node
	}
	return read(ctx, s, func(t tx) (audit.Part, error) { return t.auditChain(ctx, node, after, limit) })
}

func (t tx) auditChain(ctx context.Context, node string, after int64, limit int) (p audit.Part, err error) {
	if p.Head, err = t.head(ctx, node); err != nil && !errors.Is(err, errHash) {
		return p, err
	}
	p.Rows, err = sqldb.All(ctx, t.Tx, func(r *sql.Rows) (audit.Row, error) {
		var row audit.Row
		var at int64
		var hash []byte
		err := r.Scan(&row.Node, &row.Seq, &at, &row.By, &row.Action, &row.Object, &row.Purpose, &row.Client, &row.Detail, &hash)
		row.At = sqldb.Time(at)
		row.Hash, _ = hashOf(hash) // Verify finds it
		return row, err
	}, `SELECT `+auditColumns+`, hash FROM audit_rows WHERE node = $1 AND seq > $2 ORDER BY seq LIMIT $3`, node, after, limit)
	if err != nil {
		return p, err
	}
	// A checkpoint belongs to the part that its row is in; the last part also
	// has those whose rows are gone.
	through := int64(math.MaxInt64)
	if len(p.Rows) == limit {
		through = p.Rows[limit-1].Seq
		p.Next = through
	}
	p.Checkpoints, err = t.checkpoints(ctx, `node = $1 AND seq > $2 AND seq <= $3 ORDER BY seq`, node, after, through)
	return p, err
}

func (t tx) head(ctx context.Context, node string) (audit.Head, error) {
	h := audit.Head{Node: node}
	var hash []byte
	err := t.QueryRowContext(ctx, `SELECT seq, hash FROM audit_heads WHERE node = $1`, node).Scan(&h.Seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return h, alerts.ErrNotFound
	}
	if err != nil {
		return h, err
	}
	h.Hash, err = hashOf(hash)
	return h, err
}

func (t tx) checkpoints(ctx context.Context, where string, args ...any) ([]audit.Checkpoint, error) {
	return sqldb.All(ctx, t.Tx, func(r *sql.Rows) (audit.Checkpoint, error) {
		var c audit.Checkpoint
		var at int64
		var hash []byte
		err := r.Scan(&c.Node, &c.Seq, &hash, &at, &c.Signature)
		c.Hash, _ = hashOf(hash) // Verify finds it
		c.At = sqldb.Time(at)
		return c, err
	}, `SELECT node, seq, hash, at, signature FROM audit_checkpoints WHERE `+where, args...)
}

// Standing returns the head of this node's chain, and the newest row that a
// checkpoint vouches for; 0: none.
func (s *Store) Standing(ctx context.Context) (head audit.Head, sealed int64, err error) {
	head, err = read(ctx, s, func(t tx) (h audit.Head, err error) {
		if err := t.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM audit_checkpoints WHERE node = $1`, s.node).Scan(&sealed); err != nil {
			return h, err
		}
		return t.head(ctx, s.node)
	})
	return head, sealed, err
}

// AddCheckpoint keeps a checkpoint that no sink has yet.
func (s *Store) AddCheckpoint(ctx context.Context, c audit.Checkpoint) error {
	return s.db.Write(ctx, func(t *sqldb.Tx) error {
		return tx{t}.exec(ctx, `INSERT INTO audit_checkpoints (node, seq, hash, at, signature) VALUES ($1, $2, $3, $4, $5)`,
			c.Node, c.Seq, c.Hash[:], sqldb.Micros(c.At), c.Signature)
	})
}

// Uncopied returns this node's oldest checkpoints that a sink does not have yet.
func (s *Store) Uncopied(ctx context.Context, sink string, limit int) ([]audit.Checkpoint, error) {
	return read(ctx, s, func(t tx) ([]audit.Checkpoint, error) {
		return t.checkpoints(ctx, `node = $1 AND seq > COALESCE((SELECT through FROM audit_copies WHERE node = $2 AND sink = $3), 0)
			ORDER BY seq LIMIT $4`, s.node, s.node, sink, limit)
	})
}

// Copied says that a sink has the checkpoints up to a row.
func (s *Store) Copied(ctx context.Context, sink string, through int64) error {
	return s.db.Write(ctx, func(t *sqldb.Tx) error {
		return tx{t}.exec(ctx, `INSERT INTO audit_copies (node, sink, through) VALUES ($1, $2, $3)
			ON CONFLICT (node, sink) DO UPDATE SET through = excluded.through`, s.node, sink, through)
	})
}
