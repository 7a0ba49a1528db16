package strictyaml_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"videopatrol/internal/strictyaml"
)

type file struct {
	Name string   `yaml:"name"`
	List []string `yaml:"list"`
}

func TestUnmarshal(t *testing.T) {
	got := file{Name: "kept"}
	for _, empty := range []string{"", "\n", "# a comment\n\n  # another"} {
		if err := strictyaml.Unmarshal([]byte(empty), &got); err != nil || got.Name != "kept" {
			t.Errorf("an empty file: %+v, %v", got, err)
		}
	}
	if err := strictyaml.Unmarshal([]byte("list: [a, b]"), &got); err != nil || got.Name != "kept" || len(got.List) != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	err := strictyaml.Unmarshal([]byte("list: [a]\nnmo: x"), &got)
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) || !strings.Contains(strictyaml.Explain(err), "nmo: x") {
		t.Errorf("an unknown key: %v", err)
	}
	var rows []file
	if err := strictyaml.Unmarshal([]byte("! 00000000000000000000"), &rows); err == nil {
		t.Error("what made the library panic is no error")
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add("name: x\nlist: [a, b]")
	f.Add("! 00000000000000000000")
	f.Fuzz(func(_ *testing.T, text string) {
		var rows []file
		if err := strictyaml.Unmarshal([]byte(text), &rows); err != nil {
			_ = strictyaml.Explain(err)
		}
		var one file
		_ = strictyaml.Unmarshal([]byte(text), &one)
	})
}
