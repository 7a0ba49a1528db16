package sqlstore_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/alerts/sqlstore"
	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
)

var (
	key       = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	publicKey = key.Public().(ed25519.PublicKey)
)

func row(i int) alerts.AuditRow {
	return alerts.AuditRow{At: noon, By: fmt.Sprint("officer", i%5), Action: "view", Object: fmt.Sprint("camera/", i), Purpose: "巡", Client: "::1"}
}

// seal signs a checkpoint of the chain as it stands.
func seal(t *testing.T, s *sqlstore.Store) audit.Checkpoint {
	t.Helper()
	head, _, err := s.Standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := audit.Sign(key, head, noon)
	if err := s.AddCheckpoint(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func add(t *testing.T, s *sqlstore.Store, from, to int) {
	t.Helper()
	write(t, s, func(ctx context.Context, tx alerts.Tx) error {
		for i := from; i < to; i++ {
			if err := tx.AddAudit(ctx, row(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// verify reads the chain of a node in parts of so many rows.
func verify(t *testing.T, s *sqlstore.Store, node string, size int) (audit.Verdict, error) {
	t.Helper()
	return audit.Verify(audit.Chain{Node: node, Key: publicKey, Parts: audit.Parts(func(after int64) (audit.Part, error) {
		return s.AuditChain(t.Context(), node, after, size)
	})})
}

func TestAuditChain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		t.Helper()
		add(t, s, 0, 24)
		seal(t, s)
		add(t, s, 24, 29)
		// What an invalid client sends comes back from every database as it was chained.
		write(t, s, func(ctx context.Context, tx alerts.Tx) error {
			return tx.AddAudit(ctx, alerts.AuditRow{At: noon.Add(time.Nanosecond), By: "a\xffb", Action: "login_failed", Object: "x\x00", Detail: strings.Repeat("火", 3000)})
		})
		for _, size := range []int{1, 7, 31, 100} {
			v, err := verify(t, s, "test", size)
			if err != nil || v.Seq != 31 || v.Sealed != 25 || v.Checkpoints != 1 {
				t.Errorf("in parts of %d: %+v, %v", size, v, err)
			}
		}
		if _, err := s.AuditChain(t.Context(), "other", 0, 10); !errors.Is(err, alerts.ErrNotFound) {
			t.Errorf("a node without a chain: %v", err)
		}
		list, err := s.Audit(t.Context(), 31, 2)
		if err != nil || len(list) != 2 || list[0].Seq != 30 || list[0].Object != "camera/28" || list[0].Node != "test" || !list[0].At.Equal(noon) {
			t.Errorf("listed %+v, %v", list, err)
		}
	})
}

// TestRolledBack: a change that comes to nothing leaves neither a gap nor a
// fork, with others in the same group and beside it.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		t.Helper()
		broken := errors.New("refused")
		var writing sync.WaitGroup
		for i := range 40 {
			writing.Go(func() {
				err := s.Write(t.Context(), func(tx alerts.Tx) error {
					if err := tx.AddAudit(t.Context(), row(i)); err != nil {
						return err
					}
					if i%2 == 0 {
						return broken
					}
					return tx.AddAudit(t.Context(), row(i))
				})
				if i%2 == 0 != errors.Is(err, broken) || i%2 == 1 && err != nil {
					t.Errorf("row %d: %v", i, err)
				}
			})
		}
		writing.Wait()
		if v, err := verify(t, s, "test", 1000); err != nil || v.Seq != 41 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

// TestNodes: two nodes over one database have a chain each, and what one of
// them was called before goes on.
func TestNodes(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db, err := sqldb.Open(t.Context(), sqldb.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for range 2 {
			for _, node := range []string{"a", "b"} {
				s, err := sqlstore.New(t.Context(), db, node)
				if err != nil {
					t.Fatal(err)
				}
				add(t, s, 0, 3)
				if list, err := s.Audit(t.Context(), 0, 100); err != nil || list[0].Node != node {
					t.Errorf("listed %+v, %v", list, err)
				}
			}
		}
		s, err := sqlstore.New(t.Context(), db, "a")
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range []string{"a", "b"} {
			if v, err := verify(t, s, node, 2); err != nil || v.Seq != 7 {
				t.Errorf("node %s: %+v, %v", node, v, err)
			}
		}
		for _, bad := range []string{"", strings.Repeat("x", 256), "a\x00"} {
			if _, err := sqlstore.New(t.Context(), db, bad); err == nil {
				t.Errorf("took the node %q", bad)
			}
		}
	})
}

// TestCarried: what was written before there was a chain is carried into it.
func TestCarried(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s := open(t, url)
		// The database as version 1 left it.
		const old = 2345
		if err := s.Exec(t.Context(), `DELETE FROM audit_rows`, `DELETE FROM audit_heads`,
			`INSERT INTO audit (seq, at, made_by, action, object, purpose, client, detail)
				WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2345)
				SELECT i, CAST(i AS BIGINT) * 1000000, 'wang', 'view', 'camera/1', 'patrol', '::1', '' FROM n`); err != nil {
			t.Fatal(err)
		}
		s = open(t, url)
		add(t, s, 0, 1)
		if v, err := verify(t, s, "test", 1000); err != nil || v.Seq != old+3 {
			t.Errorf("%+v, %v", v, err)
		}
		p, err := s.AuditChain(t.Context(), "test", 0, 4)
		if err != nil || p.Rows[1].Action != "chain_carry" || !strings.Contains(p.Rows[1].Detail, "2345 rows") ||
			p.Rows[3].At.Unix() != 2 || p.Rows[3].By != "wang" {
			t.Errorf("%+v, %v", p.Rows, err)
		}
		s = open(t, url) // there is nothing left to carry
		if v, err := verify(t, s, "test", 1000); err != nil || v.Seq != old+3 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestCopied(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		t.Helper()
		var want []audit.Checkpoint
		for i := range 3 {
			add(t, s, i, i+1)
			want = append(want, seal(t, s))
		}
		head, sealed, err := s.Standing(t.Context())
		if err != nil || head.Seq != 4 || sealed != 4 {
			t.Errorf("%+v, sealed %d, %v", head, sealed, err)
		}
		for i := range 4 {
			got, err := s.Uncopied(t.Context(), "file", 2)
			if err != nil || len(got) != min(2, 3-i) {
				t.Fatalf("%d uncopied, %v", len(got), err)
			}
			if len(got) == 0 {
				break
			}
			if got[0].Head != want[i].Head || !got[0].Signed(publicKey) {
				t.Errorf("got %+v, want %+v", got[0], want[i])
			}
			if err := s.Copied(t.Context(), "file", got[0].Seq); err != nil {
				t.Fatal(err)
			}
		}
		// Another sink has its own place, and begins with the first.
		if got, err := s.Uncopied(t.Context(), "receiver", 9); err != nil || len(got) != 3 || got[0].Head != want[0].Head {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestRandomTampering breaks a real database in 10,000 random ways; each one
// is found. Where the tail goes with head and checkpoints, the copy tells.
func TestRandomTampering(t *testing.T) {
	t.Parallel()
	const rows = 10
	tries := 10_000
	if testing.Short() {
		tries = 1000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	s := open(t, "sqlite:"+filepath.Join(t.TempDir(), "patrol.db"))
	var copied []audit.Checkpoint
	for i := 1; i < rows; i++ {
		add(t, s, i, i+1)
		if i%5 == 4 {
			copied = append(copied, seal(t, s))
		}
	}
	copies := func(yield func(audit.Checkpoint, error) bool) {
		for _, c := range copied {
			if !yield(c, nil) {
				return
			}
		}
	}
	found := map[string]int{}
	columns := []string{"made_by", "action", "object", "purpose", "client", "detail", "node"}
	if err := s.Tampering(t.Context(), func(try func(func(sqlstore.Exec) error) (audit.Part, error)) {
		for n := range tries {
			how, withCopy := "", r.IntN(2) == 0
			i := 1 + r.IntN(rows)
			p, err := try(func(exec sqlstore.Exec) error {
				switch r.IntN(8) {
				case 0:
					how = "edit"
					return exec(`UPDATE audit_rows SET `+columns[r.IntN(len(columns))]+` = 'x' WHERE seq = $1`, i)
				case 1:
					how = "edit of the time"
					return exec(`UPDATE audit_rows SET at = at + $1 WHERE seq = $2`, 1+r.IntN(1e6), i)
				case 2:
					how = "edit of the hash"
					hash := make([]byte, 1+r.IntN(40))
					return exec(`UPDATE audit_rows SET hash = $1 WHERE seq = $2`, hash, i)
				case 3:
					how = "removal"
					return exec(`DELETE FROM audit_rows WHERE seq >= $1 AND seq < $2`, i, i+1+r.IntN(3))
				case 4:
					how = "insertion"
					return exec(`INSERT INTO audit_rows SELECT node, $1, at, made_by, action, object, purpose, client, detail, hash FROM audit_rows WHERE seq = $2`,
						rows+1+r.IntN(2), i)
				case 5:
					how = "swap"
					j := 1 + (i+r.IntN(rows-1))%rows
					return errors.Join(exec(`UPDATE audit_rows SET seq = 0 WHERE seq = $1`, i),
						exec(`UPDATE audit_rows SET seq = $1 WHERE seq = $2`, i, j), exec(`UPDATE audit_rows SET seq = $1 WHERE seq = 0`, j))
				case 6:
					how = "tail cut"
					return exec(`DELETE FROM audit_rows WHERE seq >= $1`, i)
				default:
					how, withCopy = "tail, head and checkpoints cut", true
					return errors.Join(exec(`DELETE FROM audit_rows WHERE seq >= $1`, i), exec(`DELETE FROM audit_checkpoints WHERE seq >= $1`, i),
						exec(`UPDATE audit_heads SET seq = $1 - 1, hash = COALESCE((SELECT hash FROM audit_rows WHERE seq = $2 - 1), hash)`, i, i))
				}
			})
			if err != nil {
				t.Errorf("seed %d, try %d: %s at %d: %v", seed, n, how, i, err)
				return
			}
			c := audit.Chain{Node: "test", Key: publicKey, Parts: audit.Parts(func(int64) (audit.Part, error) { return p, nil })}
			if withCopy {
				c.Copies = []iter.Seq2[audit.Checkpoint, error]{copies}
			}
			_, err = audit.Verify(c)
			if _, ok := errors.AsType[*audit.Fault](err); !ok {
				t.Errorf("seed %d, try %d: %s at %d was not found: %v", seed, n, how, i, err)
				return
			}
			found[how]++
		}
	}); err != nil {
		t.Fatal(err)
	}
	if v, err := verify(t, s, "test", 1000); err != nil || v.Seq != rows {
		t.Errorf("nothing was to stay: %+v, %v", v, err)
	}
	t.Logf("found: %v", found)
}

// BenchmarkRecord writes rows from so many people at once, each answered once
// its row is on disk.
func BenchmarkRecord(b *testing.B) {
	for _, people := range []int{1, 64} {
		b.Run(fmt.Sprintf("people=%d", people), func(b *testing.B) {
			s := open(b, "sqlite:"+filepath.Join(b.TempDir(), "patrol.db"))
			b.SetParallelism(people)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if err := s.Write(b.Context(), func(tx alerts.Tx) error { return tx.AddAudit(b.Context(), row(i)) }); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkVerify reads a chain part by part and verifies it.
func BenchmarkVerify(b *testing.B) {
	const rows = 20_000
	s := open(b, "sqlite:"+filepath.Join(b.TempDir(), "patrol.db"))
	for from := 1; from < rows; from += 1000 {
		if err := s.Write(b.Context(), func(tx alerts.Tx) error {
			for i := from; i < min(from+1000, rows); i++ {
				if err := tx.AddAudit(b.Context(), row(i)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		v, err := audit.Verify(audit.Chain{Node: "test", Key: publicKey, Parts: audit.Parts(func(after int64) (audit.Part, error) {
			return s.AuditChain(b.Context(), "", after, 5000)
		})})
		if err != nil || v.Seq != rows {
			b.Fatal(v, err)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
