package sqlstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/sqlstore"
	"videopatrol/inventory/sqldb/sqldbtest"
)

// TestTwoWriters: while two gateways write to one database, whoever reads the
// audit finds no row that was not there when he read a later one, and whoever
// empties the outbox misses nothing.
func TestTwoWriters(t *testing.T) {
	sqldbtest.Each(t, testTwoWriters)
}

func testTwoWriters(t *testing.T, url string) {
	t.Helper()
	const callers, each = 4, 20
	ctx, done := context.WithCancel(t.Context())
	defer done()
	var writers, readers sync.WaitGroup
	for gateway := range 2 {
		s := open(t, url)
		for caller := range callers {
			writers.Go(func() {
				for i := range each {
					if err := s.Write(t.Context(), raise(t.Context(), fmt.Sprintf("%d-%d-%d", gateway, caller, i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	reader := open(t, url)
	readers.Go(func() {
		for ctx.Err() == nil {
			withoutGap(t, reader)
		}
	})
	told := map[string]bool{}
	drain := func() {
		due, err := reader.Due(t.Context(), "police", noon, 7)
		if err != nil {
			t.Error(err)
		}
		for _, n := range due {
			if told[n.ID] {
				t.Errorf("notice %s came twice", n.ID)
			}
			told[n.ID] = true
			if err := reader.Settle(t.Context(), alerts.Settlement{Sink: n.Sink, ID: n.ID, State: alerts.NoticeSent, At: noon}); err != nil {
				t.Error(err)
			}
		}
	}
	readers.Go(func() {
		for ctx.Err() == nil {
			drain()
		}
	})
	writers.Wait()
	done()
	readers.Wait()
	for before := -1; before < len(told); {
		before = len(told)
		drain()
	}
	if want := 2 * callers * each; len(told) != want {
		t.Errorf("%d notices of %d", len(told), want)
	}
	if n := withoutGap(t, reader); n != 2*callers*each+1 { // and the one that begins the chain
		t.Errorf("%d audit rows of %d", n, 2*callers*each+1)
	}
}

// withoutGap checks that the audit is whole up to its newest row, and returns
// how many rows there are.
func withoutGap(t *testing.T, s *sqlstore.Store) int {
	t.Helper()
	rows, err := s.Audit(t.Context(), 0, 1000)
	if err != nil {
		t.Error(err)
		return 0
	}
	for i, r := range rows {
		if want := int64(len(rows) - i); r.Seq != want {
			t.Errorf("audit row %d is where %d should be", r.Seq, want)
			break
		}
	}
	return len(rows)
}

// raise writes what a raised lead writes.
func raise(ctx context.Context, id string) func(alerts.Tx) error {
	return func(tx alerts.Tx) error {
		l := lead(id)
		step := alerts.Step{Version: 1, At: tx.Now(), By: alerts.System, To: alerts.LeadRaised}
		if err := tx.AddAudit(ctx, alerts.AuditRow{At: tx.Now(), By: alerts.System, Action: "transition", Object: "lead/" + id}); err != nil {
			return err
		}
		var err error
		if l.Number, err = tx.AddLead(ctx, l); err != nil {
			return err
		}
		if err := tx.AddStep(ctx, id, step); err != nil {
			return err
		}
		time.Sleep(time.Millisecond) // others come in between, if they can
		return tx.AddNotice(ctx, alerts.Notice{ID: id + "-1", Sink: "police", Lead: l, Step: step})
	}
}
