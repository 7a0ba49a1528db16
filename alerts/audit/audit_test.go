package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const node = "n1"

var (
	noon      = time.Date(2026, 11, 26, 12, 0, 0, 123456000, time.UTC)
	key       = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	publicKey = key.Public().(ed25519.PublicKey)
)

// chain makes a chain of so many rows, and a checkpoint after each tenth.
func chain(rows int) (all []audit.Row, checkpoints []audit.Checkpoint) {
	first := audit.First(node)
	first.At = noon
	all = append(all, audit.Row{AuditRow: first, Hash: audit.Link(audit.Hash{}, first)})
	for i := 2; i <= rows; i++ {
		r := alerts.AuditRow{
			Node: node, Seq: int64(i), At: noon.Add(time.Duration(i) * time.Second), By: fmt.Sprint("officer", i%5),
			Action: "view", Object: fmt.Sprint("camera/", i%7), Purpose: "patrol", Client: "10.0.0.1", Detail: fmt.Sprint("no. ", i),
		}
		all = append(all, audit.Row{AuditRow: r, Hash: audit.Link(all[i-2].Hash, r)})
	}
	for i := 9; i < rows; i += 10 {
		checkpoints = append(checkpoints, sign(all[i]))
	}
	return all, checkpoints
}

func sign(r audit.Row) audit.Checkpoint {
	return audit.Sign(key, audit.Head{Node: r.Node, Seq: r.Seq, Hash: r.Hash}, r.At)
}

// relink computes the hashes anew from row i on, as somebody does who can
// write to the database and has no key.
func relink(rows []audit.Row, i int) {
	for ; i < len(rows); i++ {
		prev := audit.Hash{}
		if i > 0 {
			prev = rows[i-1].Hash
		}
		rows[i].Hash = audit.Link(prev, rows[i].AuditRow)
	}
}

func stream[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// record is a chain as its store has it, and a copy of its checkpoints.
type record struct {
	rows       []audit.Row
	at, copied []audit.Checkpoint
	head       audit.Head
}

func newRecord(rows int) record {
	all, checkpoints := chain(rows)
	return record{all, checkpoints, slices.Clone(checkpoints), headOf(all)}
}

func headOf(rows []audit.Row) audit.Head {
	if len(rows) == 0 {
		return audit.Head{Node: node}
	}
	last := rows[len(rows)-1]
	return audit.Head{Node: node, Seq: last.Seq, Hash: last.Hash}
}

// verify reads the record in parts of so many rows.
func (r record) verify(size int) (audit.Verdict, error) {
	return audit.Verify(audit.Chain{
		Node: node, Key: publicKey, Copies: []iter.Seq2[audit.Checkpoint, error]{stream(r.copied)},
		Parts: func(yield func(audit.Part, error) bool) {
			for from := 0; ; from += size {
				to := min(from+size, len(r.rows))
				p := audit.Part{Head: r.head, Rows: r.rows[from:to]}
				for _, c := range r.at {
					if c.Seq > int64(from) && (c.Seq <= int64(to) || to == len(r.rows)) {
						p.Checkpoints = append(p.Checkpoints, c)
					}
				}
				if !yield(p, nil) || to == len(r.rows) {
					return
				}
			}
		},
	})
}

func TestWholeChain(t *testing.T) {
	t.Parallel()
	r := newRecord(104)
	r.copied = r.copied[:4]
	want := audit.Verdict{Head: r.head, Checkpoints: 14, Sealed: 100}
	for _, size := range []int{1, 7, 10, 52, 104, 1000} {
		if v, err := r.verify(size); err != nil || v != want {
			t.Errorf("in parts of %d: got %+v, want %+v: %v", size, v, want, err)
		}
	}
	broken := errors.New("the disk")
	_, err := audit.Verify(audit.Chain{Node: node, Key: publicKey, Parts: func(yield func(audit.Part, error) bool) {
		_ = yield(audit.Part{Rows: r.rows[:1]}, nil) && yield(audit.Part{}, broken)
	}})
	if !errors.Is(err, broken) {
		t.Errorf("a stream that fails: %v", err)
	}
}

// TestFaults has one case for each thing that Verify says.
func TestFaults(t *testing.T) {
	t.Parallel()
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	for name, c := range map[string]struct {
		harm func(r *record)
		seq  int64
		says string
	}{
		"edit": {func(r *record) { r.rows[41].Purpose = "private" }, 42, "was changed"},
		"edit and hash": {func(r *record) {
			r.rows[41].By = "nobody"
			r.rows[41].Hash = audit.Link(r.rows[40].Hash, r.rows[41].AuditRow)
		}, 43, "was changed"},
		"edit and all hashes": {func(r *record) { r.rows[41].At = noon; relink(r.rows, 41) }, 50, "written anew"},
		"removal":             {func(r *record) { r.rows = slices.Delete(r.rows, 41, 43) }, 42, "is missing"},
		"removal, renumbered": {func(r *record) {
			r.rows = slices.Delete(r.rows, 41, 42)
			for i := 41; i < len(r.rows); i++ {
				r.rows[i].Seq--
			}
			relink(r.rows, 41)
		}, 50, "written anew"},
		"insertion":    {func(r *record) { r.rows = slices.Insert(r.rows, 41, r.rows[40]) }, 42, "row 41 stands in its place"},
		"swap":         {func(r *record) { r.rows[41], r.rows[42] = r.rows[42], r.rows[41] }, 42, "is missing"},
		"other node":   {func(r *record) { r.rows[41].Node = "n2" }, 42, `node "n2"`},
		"all gone":     {func(r *record) { r.rows, r.at = nil, nil }, 1, "no row at all"},
		"head gone":    {func(r *record) { r.rows = r.rows[5:] }, 1, "is missing"},
		"other first":  {func(r *record) { r.rows[0].Detail = "format 9"; relink(r.rows, 0) }, 1, "begins a chain"},
		"tail gone":    {func(r *record) { r.rows = r.rows[:98] }, 99, "says that there were 100"},
		"newest gone":  {func(r *record) { r.rows = r.rows[:102]; r.at, r.copied = nil, nil }, 103, "its head says"},
		"one too many": {func(r *record) { r.head = audit.Head{Node: node, Seq: 103, Hash: r.rows[102].Hash} }, 104, "added from outside"},
		"other head":   {func(r *record) { r.head.Hash[0]++ }, 104, "do not agree"},
		"tail, checkpoints and head gone": {func(r *record) {
			r.rows, r.at = r.rows[:91], r.at[:9]
			r.head = audit.Head{Node: node, Seq: 91, Hash: r.rows[90].Hash}
		}, 92, "says that there were 100"},
		"checkpoint edited": {func(r *record) { r.at[4].At = noon }, 50, "signature"},
		"checkpoint forged": {func(r *record) { r.at[4] = audit.Sign(stranger, r.at[4].Head, noon) }, 50, "signature"},
		"checkpoints moved": {func(r *record) { r.at[4], r.at[5] = r.at[5], r.at[4] }, 50, "comes after"},
		"another's":         {func(r *record) { r.at[4] = audit.Sign(key, audit.Head{Node: "n2", Seq: 50}, noon) }, 50, `"n2"`},
		"written anew after a cut, with the node's key": {func(r *record) {
			r.rows[41].By = "nobody"
			relink(r.rows, 41)
			for i := 4; i < 10; i++ {
				r.at[i] = sign(r.rows[i*10+9])
			}
			r.head.Hash = r.rows[103].Hash
		}, 50, "another hash"},
		"two of one row": {func(r *record) {
			r.copied = slices.Insert(r.copied, 5, audit.Sign(key, audit.Head{Node: node, Seq: 50}, noon))
		}, 50, "differ"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(104)
			c.harm(&r)
			_, err := r.verify(1000)
			var fault *audit.Fault
			if !errors.As(err, &fault) || fault.Seq != c.seq || !strings.Contains(fault.What, c.says) || fault.Node != node {
				t.Errorf("got %v, want row %d: … %s …", err, c.seq, c.says)
			}
		})
	}
}

// TestRandomFaults breaks a chain in 10,000 random ways; each one is found. A
// hand that has no key may compute hashes anew, and takes head and checkpoints
// with it where it cuts the tail off: that only the copy tells.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	tries := 10_000
	if testing.Short() {
		tries = 1000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	whole := newRecord(20)
	found := map[string]int{}
	for n := 0; n < tries; n++ {
		rows, at, head := slices.Clone(whole.rows), whole.at, whole.head
		// The copy vouches for row 20, the last: whatever is broken is broken before it.
		how, i := "", r.IntN(len(rows))
		switch r.IntN(5) {
		case 0:
			how = "edit " + edit(&rows[i].AuditRow, r)
		case 1:
			how = "removal"
			rows = slices.Delete(rows, i, min(len(rows), i+1+r.IntN(3)))
		case 2:
			how = "insertion"
			row := rows[r.IntN(len(rows))]
			rows = slices.Insert(rows, i, row)
		case 3:
			how = "swap"
			j := (i + 1 + r.IntN(len(rows)-1)) % len(rows)
			rows[i], rows[j] = rows[j], rows[i]
		case 4:
			how = "tail cut"
			rows = rows[:i]
			if r.IntN(2) == 0 && i > 0 {
				how = "tail, head and checkpoints cut"
				at = slices.DeleteFunc(slices.Clone(at), func(c audit.Checkpoint) bool { return c.Seq > int64(i) })
				head = headOf(rows)
			}
		}
		if r.IntN(2) == 0 && len(rows) > 0 && how != "edit seq" {
			how += ", linked anew"
			for k := range rows {
				rows[k].Seq = int64(k + 1)
			}
			relink(rows, 0)
			head = headOf(rows)
		}
		if len(rows) >= len(whole.rows) && slices.Equal(rows[:len(whole.rows)], whole.rows) && headOf(rows) == head {
			n-- // nothing is broken: at most a row came after the newest checkpoint, as rows do
			continue
		}
		_, err := record{rows, at, whole.copied, head}.verify(1 + r.IntN(70))
		if _, ok := errors.AsType[*audit.Fault](err); !ok {
			t.Fatalf("seed %d, try %d: %s at %d was not found: %v", seed, n, how, i, err)
		}
		found[how]++
	}
	t.Logf("found: %v", found)
}

// edit changes one field of a row and says which.
func edit(row *alerts.AuditRow, r *rand.Rand) string {
	texts := []*string{&row.Node, &row.By, &row.Action, &row.Object, &row.Purpose, &row.Client, &row.Detail}
	switch i := r.IntN(len(texts) + 2); i {
	case len(texts):
		row.Seq += 1 + r.Int64N(5)
		return "seq"
	case len(texts) + 1:
		row.At = row.At.Add(time.Duration(1+r.IntN(1e6)) * time.Microsecond)
		return "at"
	default:
		if s := *texts[i]; s != "" && r.IntN(2) == 0 {
			*texts[i] = s[:len(s)-1]
		} else {
			*texts[i] += "x"
		}
		return "text"
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	r := audit.Clean(alerts.AuditRow{By: "a\xff\xfeb", Detail: "x\x00y", Object: "火"})
	if want := (alerts.AuditRow{By: "a\uFFFDb", Detail: "x\uFFFDy", Object: "火"}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

// TestFormat keeps the bytes of format 1: chains that were written must verify
// with every later version.
func TestFormat(t *testing.T) {
	t.Parallel()
	r := alerts.AuditRow{
		Node: "n1", Seq: 258, At: time.UnixMicro(1).UTC(), By: "wang", Action: "view", Object: "camera/1", Purpose: "巡", Client: "::1",
	}
	want := "\x01" + "\x00\x00\x00\x00\x00\x00\x01\x02" + "\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x00\x00\x00\x02n1" + "\x00\x00\x00\x04wang" + "\x00\x00\x00\x04view" + "\x00\x00\x00\x08camera/1" +
		"\x00\x00\x00\x03巡" + "\x00\x00\x00\x03::1" + "\x00\x00\x00\x00"
	if got := string(audit.Encode(nil, r)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := audit.Link(audit.Hash{1}, r).String(); got != "07427967a2122ccb5ff2606be160e2cda021351dcfdce04be2ea78ae19af7bee" {
		t.Errorf("hash %s", got)
	}
	c := audit.Sign(key, audit.Head{Node: "n1", Seq: 258, Hash: audit.Hash{1}}, time.UnixMicro(1))
	line, err := c.Line()
	if want := `{"node":"n1","seq":258,"hash":"01` + strings.Repeat("0", 62) + `","at":"1970-01-01T00:00:00.000001Z",` +
		`"signature":"zLz6VWNSxsGbpFA75aDXjS22sQZrXW3u8TJydAhgnGJ9VAEgVivw+XXlLfDkAg/CF80ReP+E/5I6eNfBEpyxAA=="}` + "\n"; err != nil || string(line) != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
}

// FuzzEncode: rows that differ never encode alike.
func FuzzEncode(f *testing.F) {
	f.Add("n", "a", "b", "c", "d", "e", "f", int64(1), int64(2), "n", "ab", "", "c", "d", "e", "f", int64(1), int64(2))
	f.Fuzz(func(t *testing.T, node1, by1, action1, object1, purpose1, client1, detail1 string, seq1, at1 int64,
		node2, by2, action2, object2, purpose2, client2, detail2 string, seq2, at2 int64,
	) {
		a := alerts.AuditRow{
			Node: node1, Seq: seq1, At: time.UnixMicro(at1).UTC(), By: by1, Action: action1, Object: object1,
			Purpose: purpose1, Client: client1, Detail: detail1,
		}
		b := alerts.AuditRow{
			Node: node2, Seq: seq2, At: time.UnixMicro(at2).UTC(), By: by2, Action: action2, Object: object2,
			Purpose: purpose2, Client: client2, Detail: detail2,
		}
		if alike := bytes.Equal(audit.Encode(nil, a), audit.Encode(nil, b)); alike != (a == b) {
			t.Errorf("%+v and %+v encode alike: %v", a, b, alike)
		}
	})
}

// FuzzCheckpoint: what is taken is what Line writes.
func FuzzCheckpoint(f *testing.F) {
	rows, checkpoints := chain(10)
	line, err := checkpoints[0].Line()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(line[:len(line)/2])
	f.Add([]byte(`{"node":"n1","seq":` + fmt.Sprint(rows[9].Seq) + `}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		c, err := audit.ParseCheckpoint(line)
		if err != nil {
			return
		}
		again, err := c.Line()
		if err != nil || !bytes.Equal(again, append(bytes.TrimSuffix(line, []byte{'\n'}), '\n')) {
			t.Errorf("took %q and writes %q: %v", line, again, err)
		}
	})
}

func TestParseCheckpoint(t *testing.T) {
	t.Parallel()
	_, checkpoints := chain(10)
	line, err := checkpoints[0].Line()
	if err != nil {
		t.Fatal(err)
	}
	got, err := audit.ParseCheckpoint(line)
	if err != nil || got.Head != checkpoints[0].Head || !got.At.Equal(checkpoints[0].At) || !got.Signed(publicKey) {
		t.Errorf("got %+v, want %+v: %v", got, checkpoints[0], err)
	}
	for _, bad := range []string{
		"", "{}", "[]", string(line[:40]), string(line) + string(line), " " + string(line),
		strings.Replace(string(line), `"node"`, `"Node"`, 1), strings.Replace(string(line), `Z"`, `+00:00"`, 1),
		strings.Replace(string(line), `"node":"n1",`, `"node":"n1","node":"n1",`, 1), strings.Replace(string(line), `"n1"`, `""`, 1),
	} {
		if c, err := audit.ParseCheckpoint([]byte(bad)); err == nil {
			t.Errorf("took %q as %+v", bad, c)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, text := range []string{audit.FormatKey(publicKey), " " + audit.FormatKey(publicKey) + "\n", fmt.Sprintf("%x", []byte(publicKey))} {
		if k, err := audit.ParseKey(text); err != nil || !k.Equal(publicKey) {
			t.Errorf("%q: %v, %v", text, k, err)
		}
	}
	if _, err := audit.ParseKey("abcd"); err == nil || !strings.Contains(err.Error(), "patrol audit key") {
		t.Errorf("a short key: %v", err)
	}
}

func readCopy(t *testing.T, text string) ([]audit.Checkpoint, error) {
	t.Helper()
	var all []audit.Checkpoint
	for c, err := range audit.ReadCopy(strings.NewReader(text), node) {
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

// TestFileIsTakenUpAgain cuts a copy off at every byte of its last line: what
// was whole stays, what was cut off comes again, and nothing looks damaged.
func TestFileIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	_, checkpoints := chain(40)
	path := filepath.Join(t.TempDir(), "copy.jsonl")
	if err := audit.File(path).Copy(t.Context(), checkpoints[:2]); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second := bytes.IndexByte(whole, '\n') + 1
	for cut := second; cut < len(whole); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if all, err := readCopy(t, string(whole[:cut])); err != nil || len(all) != 1 && cut < len(whole)-1 {
			t.Fatalf("cut at %d, before it goes on: %d checkpoints, %v", cut, len(all), err)
		}
		if err := audit.File(path).Copy(t.Context(), checkpoints[1:]); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all, err := readCopy(t, string(text))
		if err != nil || len(all) < 4 {
			t.Fatalf("cut at %d: %d checkpoints, %v\n%s", cut, len(all), err, text)
		}
		r := newRecord(40)
		r.copied = all
		if _, err := r.verify(40); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestDamagedCopy(t *testing.T) {
	t.Parallel()
	_, checkpoints := chain(40)
	var lines []string
	for _, c := range checkpoints {
		line, err := c.Line()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	other, err := audit.Sign(key, audit.Head{Node: "n2", Seq: 1}, noon).Line()
	if err != nil {
		t.Fatal(err)
	}
	if all, err := readCopy(t, lines[0]+string(other)+lines[1]); err != nil || len(all) != 2 {
		t.Errorf("with another node's: %d, %v", len(all), err)
	}
	for name, text := range map[string]string{
		"changed":   lines[0] + strings.Replace(lines[1], "n1", "n1 ", 1)[1:] + lines[2],
		"cut":       lines[0] + lines[1][:30] + "\n" + lines[2],
		"cut, last": lines[0] + lines[1][:30] + "\n",
		"long":      lines[0] + strings.Repeat("x", 1<<16) + "\n",
	} {
		if all, err := readCopy(t, text); err == nil || len(all) != 1 {
			t.Errorf("%s: %d checkpoints, %v", name, len(all), err)
		}
	}
}

func BenchmarkLink(b *testing.B) {
	rows, _ := chain(2)
	var h audit.Hash
	for b.Loop() {
		h = audit.Link(h, rows[1].AuditRow)
	}
}

func BenchmarkVerify(b *testing.B) {
	r := newRecord(10_000)
	for b.Loop() {
		if _, err := r.verify(10_000); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "rows/s")
}
