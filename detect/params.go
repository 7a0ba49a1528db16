package detect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"videopatrol/internal/strictyaml"
)

// When is what a rule looks for in its zone.
type When string

// What rules look for.
const (
	WhenPresent When = "present" // something that was not there before
	WhenStands  When = "stands"  // something that came to stand
	WhenTaken   When = "taken"   // something that stood there is gone
	WhenCrowd   When = "crowd"   // many people
	WhenFlame   When = "flame"
	WhenSmoke   When = "smoke"
	WhenExpr    When = "expr" // a CEL expression over Facts
)

// Whens lists everything that a rule can look for.
func Whens() []When {
	return []When{WhenPresent, WhenStands, WhenTaken, WhenCrowd, WhenFlame, WhenSmoke, WhenExpr}
}

// Params are the numbers of a rule; which of them matter depends on its When.
type Params struct {
	// Dwell is how long it must last before it begins, Clear how long it must
	// be over before it ends, each over two samples or more.
	Dwell time.Duration `json:"dwell,omitempty"`
	Clear time.Duration `json:"clear,omitempty"`
	// Samples are the fewest in a row that must show it.
	Samples int `json:"samples,omitempty"`
	// MinArea and MaxArea bound what counts by its share of the picture,
	// MinSize and MaxSize in standing persons where the zone has a
	// perspective; 0 is no bound.
	MinArea float64 `json:"min_area,omitempty"`
	MaxArea float64 `json:"max_area,omitempty"`
	MinSize float64 `json:"min_size,omitempty"`
	MaxSize float64 `json:"max_size,omitempty"`
	// MaxHeight bounds it by its height, in a standing person's, where the zone
	// has a perspective; 0 is no bound.
	MaxHeight float64 `json:"max_height,omitempty"`
	// Strong is the score (0..1) from which on one sample is enough.
	Strong float64 `json:"strong,omitempty"`
	// Unmoved is how long it must not have changed at all.
	Unmoved time.Duration `json:"unmoved,omitempty"`
	// Known is how long the place must have been watched before something is
	// missed, Hold how long it stays missed.
	Known time.Duration `json:"known,omitempty"`
	Hold  time.Duration `json:"hold,omitempty"`
	// Count of people, or where neither a model nor a perspective tells it,
	// Coverage of the zone (0..1), makes a crowd.
	Count    float64 `json:"count,omitempty"`
	Coverage float64 `json:"coverage,omitempty"`
	// Score (0..1) of flame or smoke that begins it.
	Score float64 `json:"score,omitempty"`
	// Keep is the share (0..1) of what begins it that it then may fall to.
	Keep float64 `json:"keep,omitempty"`
	// Except are classes that do not count when a model sees them; with
	// Classes no others do. What no model recognises counts.
	Except  []string `json:"except,omitempty"`
	Classes []string `json:"classes,omitempty"`
}

// maxClasses bounds how many classes a rule names.
const maxClasses = 40

// A param is one named number of a rule.
type param struct {
	// about is a sentence for the administrator.
	about string
	// of are the rules that have it.
	of  []When
	set func(p *Params, text string) error
}

var bySize = []When{WhenPresent, WhenStands, WhenTaken}

var paramTable = map[string]param{
	"dwell":      {"how long it must last before it begins", Whens(), span(func(p *Params) *time.Duration { return &p.Dwell })},
	"clear":      {"how long it must be over before it ends", []When{WhenPresent, WhenStands, WhenCrowd, WhenFlame, WhenSmoke, WhenExpr}, span(func(p *Params) *time.Duration { return &p.Clear })},
	"samples":    {"the fewest samples that must show it", []When{WhenStands, WhenCrowd, WhenFlame, WhenSmoke, WhenExpr}, whole(func(p *Params) *int { return &p.Samples }, 1, 20)},
	"min_area":   {"the smallest that counts, as a share of the picture", bySize, number(func(p *Params) *float64 { return &p.MinArea }, 0, 1)},
	"max_area":   {"the largest that counts, as a share of the picture", bySize, number(func(p *Params) *float64 { return &p.MaxArea }, 0, 1)},
	"min_size":   {"the smallest that counts, in standing persons (needs a perspective)", bySize, number(func(p *Params) *float64 { return &p.MinSize }, 0, 1000)},
	"max_size":   {"the largest that counts, in standing persons (needs a perspective)", bySize, number(func(p *Params) *float64 { return &p.MaxSize }, 0, 1000)},
	"max_height": {"the tallest that counts, in a standing person's height (needs a perspective)", bySize, number(func(p *Params) *float64 { return &p.MaxHeight }, 0, 100)},
	"strong":     {"score from which on one sample is enough; 1 asks for two always", []When{WhenPresent}, number(func(p *Params) *float64 { return &p.Strong }, 0, 1)},
	"unmoved":    {"how long it must not have changed at all", []When{WhenStands}, span(func(p *Params) *time.Duration { return &p.Unmoved })},
	"known":      {"how long the place must have been watched before something is missed", []When{WhenTaken}, span(func(p *Params) *time.Duration { return &p.Known })},
	"hold":       {"how long something stays missed", []When{WhenTaken}, span(func(p *Params) *time.Duration { return &p.Hold })},
	"count":      {"people that make a crowd", []When{WhenCrowd}, number(func(p *Params) *float64 { return &p.Count }, 1, 10000)},
	"coverage":   {"share of the zone that makes a crowd, where people cannot be counted", []When{WhenCrowd}, number(func(p *Params) *float64 { return &p.Coverage }, 0.01, 1)},
	"score":      {"score that begins it", []When{WhenFlame, WhenSmoke}, number(func(p *Params) *float64 { return &p.Score }, 0.01, 1)},
	"keep":       {"share of what begins it that it then may fall to", []When{WhenCrowd, WhenFlame, WhenSmoke}, number(func(p *Params) *float64 { return &p.Keep }, 0.01, 1)},
	"except":     {"classes that do not count when a model sees them", []When{WhenPresent, WhenStands}, list(func(p *Params) *[]string { return &p.Except })},
	"classes":    {"the only classes that count when a model sees one", []When{WhenPresent, WhenStands, WhenCrowd}, list(func(p *Params) *[]string { return &p.Classes })},
}

// ParamDoc describes a parameter to the administrator.
type ParamDoc struct {
	Name  string `json:"name"`
	About string `json:"about"`
	Of    []When `json:"of"`
}

// ParamDocs describes every parameter, by name.
func ParamDocs() []ParamDoc {
	docs := make([]ParamDoc, 0, len(paramTable))
	for name, p := range paramTable {
		docs = append(docs, ParamDoc{Name: name, About: p.about, Of: p.of})
	}
	slices.SortFunc(docs, func(a, b ParamDoc) int { return cmp.Compare(a.Name, b.Name) })
	return docs
}

func span(field func(*Params) *time.Duration) func(*Params, string) error {
	return func(p *Params, text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d > 24*time.Hour {
			return fmt.Errorf("%q is no duration from 0s to 24h, such as 20s", text)
		}
		*field(p) = d
		return nil
	}
}

func number(field func(*Params) *float64, least, most float64) func(*Params, string) error {
	return func(p *Params, text string) error {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v >= least && v <= most) {
			return fmt.Errorf("%q is no number from %g to %g", text, least, most)
		}
		*field(p) = v
		return nil
	}
}

func whole(field func(*Params) *int, least, most int) func(*Params, string) error {
	return func(p *Params, text string) error {
		v, err := strconv.Atoi(text)
		if err != nil || v < least || v > most {
			return fmt.Errorf("%q is no whole number from %d to %d", text, least, most)
		}
		*field(p) = v
		return nil
	}
}

func list(field func(*Params) *[]string) func(*Params, string) error {
	return func(p *Params, text string) error {
		var names []string
		for s := range strings.SplitSeq(text, ",") {
			if s = strings.TrimSpace(s); s != "" {
				names = append(names, s)
			}
		}
		if len(names) > maxClasses {
			return fmt.Errorf("%d classes, at most %d are allowed", len(names), maxClasses)
		}
		*field(p) = names
		return nil
	}
}

// paramsOf are the names of a rule's parameters.
func paramsOf(w When) []string {
	var names []string
	for name, p := range paramTable {
		if slices.Contains(p.of, w) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// setParam sets a parameter of a rule by its name.
func setParam(p *Params, w When, name, text string) error {
	known, ok := paramTable[name]
	if !ok || !slices.Contains(known.of, w) {
		names := paramsOf(w)
		return fmt.Errorf("a rule of %s has no parameter %q; did you mean %q? It has %s",
			w, name, strictyaml.Nearest(name, slices.Values(names)), strings.Join(names, ", "))
	}
	if err := known.set(p, text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// parseParams reads all parameters of a rule.
func parseParams(w When, texts map[string]string) (Params, error) {
	p := Params{Samples: 1}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if err := setParam(&p, w, name, texts[name]); err != nil {
			return Params{}, err
		}
	}
	return p, nil
}
