package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// maxBytes bounds a file: 180,000 rows with zones are some 150 MB.
const maxBytes = 256 << 20

const bom = "\ufeff"

// readAll reads a file whole.
func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if len(data) > maxBytes {
		return nil, &FileError{Reason: fmt.Sprintf("the file is larger than %d MB: split it", maxBytes>>20)}
	}
	return data, nil
}

// table is a CSV file with its header understood.
type table struct {
	data    []byte // UTF-8
	comma   rune
	header  []string
	columns []*column // by field; nil is a field to ignore
}

// readTable reads a CSV file and its header. Text is UTF-8, with a byte order
// mark or without, or GB18030; fields end at a comma, semicolon or tab.
func readTable(r io.Reader) (*table, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	t := &table{}
	if t.data, err = toUTF8(data); err != nil {
		return nil, err
	}
	first, _, _ := bytes.Cut(t.data, []byte("\n"))
	t.comma = delimiter(string(first))
	head, err := t.reader().Read()
	if errors.Is(err, io.EOF) {
		return nil, &FileError{Reason: "the file is empty: the first line must name the columns"}
	}
	if err != nil {
		return nil, &FileError{Line: 1, Reason: "the header cannot be read: look for a lone quotation mark"}
	}
	where := map[*column]string{}
	for _, name := range head {
		name = strings.TrimSpace(name)
		c, err := findColumn(name)
		if err != nil {
			return nil, &FileError{Line: 1, Column: show(name), Reason: err.Error()}
		}
		if c != nil && where[c] != "" {
			return nil, &FileError{Line: 1, Column: show(name), Reason: fmt.Sprintf("means the same as column %s: keep one of them", where[c])}
		}
		if c != nil {
			where[c] = show(name)
		}
		t.header = append(t.header, name)
		t.columns = append(t.columns, c)
	}
	if where[columnID] == "" {
		return nil, &FileError{Line: 1, Reason: "no column id (编码): without it no row can be told from another"}
	}
	return t, nil
}

// toUTF8 decodes a file's text.
func toUTF8(data []byte) ([]byte, error) {
	data, marked := bytes.CutPrefix(data, []byte(bom))
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, &FileError{Reason: "the file is UTF-16: save it as \"CSV UTF-8\""}
	}
	if utf8.Valid(data) {
		return data, nil
	}
	if !marked {
		text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err == nil && !bytes.ContainsRune(text, utf8.RuneError) {
			return text, nil
		}
	}
	return nil, &FileError{Reason: "the text is neither UTF-8 nor GB18030: save it as \"CSV UTF-8\""}
}

// delimiter is what ends the fields of the header line.
func delimiter(line string) rune {
	best, most := ',', 0
	for _, c := range ",;\t" {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

func (t *table) reader() *csv.Reader {
	r := csv.NewReader(bytes.NewReader(t.data))
	r.Comma = t.comma
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	return r
}

// each calls fn for each row after the header. record is valid until fn
// returns, and nil for a row that cannot be read.
func (t *table) each(fn func(line int, record []string)) error {
	r := t.reader()
	if _, err := r.Read(); err != nil {
		return fmt.Errorf("read the header again: %w", err)
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			fn(parse.StartLine, nil)
			continue
		}
		if err != nil {
			return fmt.Errorf("read the file: %w", err)
		}
		line, _ := r.FieldPos(0)
		fn(line, record)
	}
}
