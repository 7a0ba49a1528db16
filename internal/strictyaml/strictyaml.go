package strictyaml

import (
	"bytes"
	"fmt"

	"github.com/goccy/go-yaml"
)

// Unmarshal decodes b over what v holds; a file without a word leaves that as
// it is. Its errors are the library's own,
// such as *yaml.UnknownFieldError; Explain shows them.
func Unmarshal(b []byte, v any) (err error) {
	defer func() {
		// The library has panicked on a few short inputs that are no YAML.
		if p := recover(); p != nil {
			err = fmt.Errorf("this is no YAML that can be read: %v", p)
		}
	}()
	if empty(b) {
		return nil // the library would make v zero
	}
	return yaml.UnmarshalWithOptions(b, v, yaml.Strict())
}

// empty tells whether a file holds nothing but comments.
func empty(b []byte) bool {
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// Explain is an error with the place in the file.
func Explain(err error) string { return yaml.FormatError(err, false, true) }
