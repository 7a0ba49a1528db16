package play

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Entry is one line of the ledger: something that happens, and from when to
// when it is true of the pictures that are sent.
type Entry struct {
	ID     string
	Camera string
	Kind   Kind
	Zone   string
	Begin  time.Time
	End    time.Time // zero while it runs
	Note   string
}

const ledgerTime = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON writes times as RFC 3339 with milliseconds, in UTC.
func (e Entry) MarshalJSON() ([]byte, error) {
	var end *string
	if !e.End.IsZero() {
		s := e.End.UTC().Format(ledgerTime)
		end = &s
	}
	return json.Marshal(struct {
		ID     string  `json:"id"`
		Camera string  `json:"camera"`
		Kind   Kind    `json:"kind"`
		Zone   string  `json:"zone"`
		Begin  string  `json:"begin"`
		End    *string `json:"end"`
		Note   string  `json:"note"`
	}{e.ID, e.Camera, e.Kind, e.Zone, e.Begin.UTC().Format(ledgerTime), end, e.Note})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Entry) UnmarshalJSON(b []byte) error {
	var row struct {
		ID, Camera, Zone, Note string
		Kind                   Kind
		Begin                  time.Time
		End                    *time.Time
	}
	if err := json.Unmarshal(b, &row); err != nil {
		return err
	}
	*e = Entry{ID: row.ID, Camera: row.Camera, Kind: row.Kind, Zone: row.Zone, Begin: row.Begin, Note: row.Note}
	if row.End != nil {
		e.End = *row.End
	}
	return nil
}

// ReadLedger reads the lines of a ledger: of each entry its newest, in the
// order in which they began. A last line that is only half written does not
// count.
func ReadLedger(r io.Reader) ([]Entry, error) {
	l := NewLedger(nil)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var torn error
	for n := 1; lines.Scan(); n++ {
		if torn != nil {
			return nil, torn
		}
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			torn = fmt.Errorf("line %d of the ledger: %w", n, err)
			continue
		}
		l.put(e)
	}
	return l.Entries(), lines.Err()
}

// Ledger keeps what happened. Every entry is written when it begins, and again
// with the same id when it has ended.
type Ledger struct {
	mu      sync.Mutex
	w       io.Writer // nil writes nowhere
	entries []Entry
	at      map[string]int
	last    int
	err     error
}

// NewLedger returns a ledger that writes JSON lines to w, which may be nil.
func NewLedger(w io.Writer) *Ledger { return &Ledger{w: w, at: map[string]int{}} }

// newID returns the id of the next happening.
func (l *Ledger) newID() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	return fmt.Sprintf("h%06d", l.last)
}

// put writes an entry anew or over the one with its id.
func (l *Ledger) put(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.at[e.ID]; ok {
		l.entries[i] = e
	} else {
		l.at[e.ID] = len(l.entries)
		l.entries = append(l.entries, e)
	}
	if l.w == nil || l.err != nil {
		return
	}
	b, err := json.Marshal(e)
	if err == nil {
		_, err = l.w.Write(append(b, '\n'))
	}
	l.err = err
}

// Entries returns every entry so far, in the order in which they began.
func (l *Ledger) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Entry(nil), l.entries...)
}

// Err returns the error that stopped the ledger's writing, if any.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
