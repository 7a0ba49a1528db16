package detect

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"videopatrol/internal/strictyaml"
	"videopatrol/inventory"
)

// Rule says what one zone is watched for. It is data: workers get it in Config.
type Rule struct {
	Zone string  `json:"zone"`
	Ref  RuleRef `json:"ref"`
	Kind Kind    `json:"kind"`
	When When    `json:"when"`
	// Expr is the CEL expression of a rule of WhenExpr.
	Expr   string `json:"expr,omitempty"`
	Params Params `json:"params"`
}

// PresetsText documents the built-in presets, and the form of a site's own.
//
//go:embed presets.yaml
var PresetsText string

// Presets are rules by name: those of each kind of zone, and others that a
// zone may name instead.
type Presets struct{ byName map[string]preset }

type preset struct {
	zone  inventory.ZoneKind
	rules map[string]presetRule
}

type presetRule struct {
	version int
	kind    Kind
	when    When
	expr    string
	params  map[string]string
}

// DefaultPresets returns the built-in presets.
var DefaultPresets = sync.OnceValue(func() *Presets {
	p, err := new(Presets).Over([]byte(PresetsText), nil)
	if err != nil {
		panic("the built-in presets: " + err.Error()) // a test reads them too
	}
	return p
})

// errNoExpr refuses expressions where nothing judges them.
var errNoExpr = errors.New("expressions are not judged here")

// Over returns the presets with those of a YAML file over them. A preset or
// rule of a known name changes only what the file says of it. check tells what
// is wrong with a CEL expression; nil refuses them all. Errors name line and
// column, and for an unknown name the nearest known one.
func (p *Presets) Over(file []byte, check func(expr string) error) (*Presets, error) {
	if check == nil {
		check = func(string) error { return errNoExpr }
	}
	var read map[string]presetText
	if err := strictyaml.Unmarshal(file, &read); err != nil {
		return nil, explainYAML(err)
	}
	next := &Presets{byName: map[string]preset{}}
	for name, one := range p.byName {
		next.byName[name] = preset{zone: one.zone, rules: maps.Clone(one.rules)}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(read)) {
		one, err := next.byName[name].with(name, read[name], check)
		errs = append(errs, err)
		next.byName[name] = one
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return next, nil
}

// with returns the preset with what a file says of it.
func (p preset) with(name string, t presetText, check func(string) error) (preset, error) {
	if !validName(name) {
		return p, t.at.errorf("preset %q: want a name of 1 to 64 letters, digits, dots, underscores or hyphens", name)
	}
	zone := inventory.ZoneKind(cmp.Or(t.zone.text, string(p.zone)))
	switch {
	case zone == "":
		return p, t.at.errorf("preset %q: zone says for which kind of zone it is (one of %v)", name, inventory.ZoneKinds())
	case !slices.Contains(inventory.ZoneKinds(), zone):
		return p, t.zone.errorf("no such kind of zone %q; did you mean %q?", zone, nearest(string(zone), inventory.ZoneKinds()))
	case p.zone != "" && zone != p.zone:
		return p, t.zone.errorf("preset %q is for zones of kind %q; take another name for one of kind %q", name, p.zone, zone)
	}
	p.zone = zone
	if p.rules == nil {
		p.rules = map[string]presetRule{}
	}
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(t.rules)) {
		r, err := p.rules[id].with(id, t.rules[id], check)
		errs = append(errs, err)
		p.rules[id] = r
	}
	if len(p.rules) == 0 {
		errs = append(errs, t.at.errorf("preset %q has no rules", name))
	}
	if len(p.rules) > maxRules {
		errs = append(errs, t.at.errorf("preset %q has %d rules, at most %d are allowed", name, len(p.rules), maxRules))
	}
	return p, errors.Join(errs...)
}

// maxRules bounds the rules of one zone.
const maxRules = 8

func (r presetRule) with(id string, t ruleText, check func(string) error) (presetRule, error) {
	r.kind = Kind(cmp.Or(t.kind.text, string(r.kind), id))
	r.when = When(cmp.Or(t.when.text, string(r.when)))
	if t.expr.text != "" {
		r.expr = t.expr.text
		if t.when.text == "" {
			r.when = WhenExpr
		}
	}
	if t.version != 0 {
		r.version = t.version
	}
	switch {
	case !validName(id):
		return r, t.at.errorf("rule %q: want a name of 1 to 64 letters, digits, dots, underscores or hyphens", id)
	case r.when == "":
		return r, t.at.errorf("rule %q: when says what is looked for (one of %v), or give expr", id, Whens())
	case !slices.Contains(Whens(), r.when):
		return r, t.when.errorf("a rule cannot look for %q; did you mean %q?", r.when, nearest(string(r.when), Whens()))
	case !slices.Contains(Kinds(), r.kind) && t.kind.text == "":
		return r, t.at.errorf("rule %q: kind says what its findings are (one of %v)", id, Kinds())
	case !slices.Contains(Kinds(), r.kind):
		return r, t.kind.errorf("no such kind of finding %q; did you mean %q?", r.kind, nearest(string(r.kind), Kinds()))
	case r.version == 0:
		r.version = 1
	case r.version < 0:
		return r, t.at.errorf("rule %q: version %d is below 1", id, r.version)
	}
	if (r.expr != "") != (r.when == WhenExpr) {
		return r, t.at.errorf("rule %q: an expression goes with when: expr, and when: expr with an expression", id)
	}
	if t.expr.text != "" {
		if err := check(r.expr); err != nil {
			return r, t.expr.errorf("rule %q: the expression: %w", id, err)
		}
	}
	r.params = maps.Clone(r.params)
	if r.params == nil {
		r.params = map[string]string{}
	}
	var errs []error
	for _, v := range t.params {
		var scratch Params
		if err := setParam(&scratch, r.when, v.name, v.text); err != nil {
			errs = append(errs, v.errorf("rule %q: %w", id, err))
			continue
		}
		r.params[v.name] = v.text
	}
	return r, errors.Join(errs...)
}

// Names lists the presets by name.
func (p *Presets) Names() []string { return slices.Sorted(maps.Keys(p.byName)) }

// Differences lists the names of presets that differ from those of others, are
// new or are gone.
func (p *Presets) Differences(from *Presets) []string {
	names := slices.Concat(p.Names(), from.Names())
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return reflect.DeepEqual(p.byName[name], from.byName[name])
	})
}

// Rules returns what a zone is watched for: the rules of its preset, its dwell
// and its parameters over them. A parameter "dwell" is set in every rule that
// has it, "object_left.dwell" in that rule alone.
func (p *Presets) Rules(z inventory.Zone) ([]Rule, error) {
	name := cmp.Or(z.Preset, string(z.Kind))
	one, ok := p.byName[name]
	switch {
	case !ok && z.Preset == "":
		return nil, fmt.Errorf("zone %q: no rule for kind %q (want one of %v)", z.ID, z.Kind, inventory.ZoneKinds())
	case !ok:
		return nil, fmt.Errorf("zone %q: no such preset %q; did you mean %q?", z.ID, name, nearest(name, p.Names()))
	case one.zone != z.Kind:
		return nil, fmt.Errorf("zone %q: preset %q is for zones of kind %q, not %q", z.ID, name, one.zone, z.Kind)
	}
	rules := make([]Rule, 0, len(one.rules))
	for _, id := range slices.Sorted(maps.Keys(one.rules)) {
		r := one.rules[id]
		params, err := parseParams(r.when, r.params)
		if err != nil {
			return nil, fmt.Errorf("zone %q: rule %q: %w", z.ID, id, err)
		}
		if z.Dwell > 0 {
			params.Dwell = z.Dwell
		}
		rules = append(rules, Rule{
			Zone: z.ID, Ref: RuleRef{ID: id, Version: r.version}, Kind: r.kind, When: r.when, Expr: r.expr, Params: params,
		})
	}
	for _, key := range slices.Sorted(maps.Keys(z.Params)) {
		if err := override(rules, key, z.Params[key]); err != nil {
			return nil, fmt.Errorf("zone %q: params: %w", z.ID, err)
		}
	}
	return rules, nil
}

// override sets one of a zone's own parameters.
func override(rules []Rule, key, text string) error {
	id, name, one := strings.Cut(key, ".")
	if !one {
		id, name = "", key
	}
	var refused error
	set := false
	for i := range rules {
		r := &rules[i]
		if id != "" && r.Ref.ID != id {
			continue
		}
		if known, ok := paramTable[name]; !one && len(rules) > 1 && ok && !slices.Contains(known.of, r.When) {
			continue // another rule of the preset may have it
		}
		if err := setParam(&r.Params, r.When, name, text); err != nil {
			refused = err
			continue
		}
		set = true
	}
	switch {
	case refused != nil:
		return refused
	case !set && id != "":
		var ids []string
		for _, r := range rules {
			ids = append(ids, r.Ref.ID)
		}
		return fmt.Errorf("%s: the preset has no rule %q; did you mean %q?", key, id, nearest(id, ids))
	case !set:
		return fmt.Errorf("no rule of the preset has a parameter %q", name)
	}
	return nil
}

// CheckZone tells what is wrong with the rules that a zone asks for, or nil.
func (p *Presets) CheckZone(z inventory.Zone) error {
	_, err := p.Rules(z)
	return err
}

// RulesOf returns the rules of several zones, in their order.
func (p *Presets) RulesOf(zones []inventory.Zone) ([]Rule, error) {
	var all []Rule
	for _, z := range zones {
		rules, err := p.Rules(z)
		if err != nil {
			return nil, err
		}
		all = append(all, rules...)
	}
	return all, nil
}

// validName tells whether a name can be an id: of a rule it goes into labels.
func validName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return strings.Trim(s, letters) == ""
}

func nearest[S ~string](word string, known []S) string {
	return strictyaml.Nearest(word, func(yield func(string) bool) {
		for _, k := range known {
			if !yield(string(k)) {
				return
			}
		}
	})
}

// spot is a place in a YAML file.
type spot struct{ line, column int }

func spotOf(n ast.Node) spot {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		n = v.Key
	}
	if n == nil || n.GetToken() == nil {
		return spot{1, 1}
	}
	at := n.GetToken().Position
	return spot{at.Line, at.Column}
}

func (s spot) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d, column %d: %w", max(s.line, 1), max(s.column, 1), fmt.Errorf(format, args...))
}

// A textAt is a scalar with its place.
type textAt struct {
	spot
	text string
}

// UnmarshalYAML reads a scalar, or a list of them as one text with commas.
func (t *textAt) UnmarshalYAML(n ast.Node) error {
	t.spot = spotOf(n)
	if list, ok := n.(*ast.SequenceNode); ok {
		var parts []string
		for _, v := range list.Values {
			var one textAt
			if err := one.UnmarshalYAML(v); err != nil {
				return err
			}
			parts = append(parts, one.text)
		}
		t.text = strings.Join(parts, ",")
		return nil
	}
	switch n := n.(type) {
	case *ast.LiteralNode: // a block of text begins on the next line
		t.text, t.line = n.Value.Value, t.line+1
	case ast.ScalarNode:
		t.text = fmt.Sprint(n.GetValue())
		if token := n.GetToken(); token != nil && n.Type() != ast.StringType {
			t.text = token.Value // 0.30 stays 0.30
		}
	default:
		return t.errorf("want text or a number")
	}
	return nil
}

type presetText struct {
	at    spot
	zone  textAt
	rules map[string]ruleText
}

// UnmarshalYAML notes where the preset is.
func (p *presetText) UnmarshalYAML(n ast.Node) error {
	p.at = spotOf(n)
	var fields struct {
		Zone  textAt              `yaml:"zone"`
		Rules map[string]ruleText `yaml:"rules"`
	}
	if err := strict(n, &fields, "zone", "rules"); err != nil {
		return err
	}
	p.zone, p.rules = fields.Zone, fields.Rules
	return nil
}

type ruleText struct {
	at               spot
	when, kind, expr textAt
	version          int
	params           []paramText
}

type paramText struct {
	textAt
	name string
}

// UnmarshalYAML notes where the rule and its parameters are.
func (r *ruleText) UnmarshalYAML(n ast.Node) error {
	r.at = spotOf(n)
	var fields struct {
		Version int      `yaml:"version"`
		When    textAt   `yaml:"when"`
		Kind    textAt   `yaml:"kind"`
		Expr    textAt   `yaml:"expr"`
		Params  ast.Node `yaml:"params"`
	}
	if err := strict(n, &fields, "version", "when", "kind", "expr", "params"); err != nil {
		return err
	}
	r.version, r.when, r.kind, r.expr = fields.Version, fields.When, fields.Kind, fields.Expr
	for _, v := range valuesOf(fields.Params) {
		p := paramText{name: keyOf(v)}
		if err := p.UnmarshalYAML(v.Value); err != nil {
			return err
		}
		p.spot = spotOf(v.Key)
		r.params = append(r.params, p)
	}
	return nil
}

// strict decodes a mapping and refuses keys but the known ones.
func strict(n ast.Node, into any, known ...string) error {
	for _, v := range valuesOf(n) {
		if key := keyOf(v); !slices.Contains(known, key) {
			return spotOf(v.Key).errorf("unknown key %q; did you mean %q?", key, nearest(key, known))
		}
	}
	return yaml.NodeToValue(n, into, yaml.Strict())
}

func valuesOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	default:
		return nil
	}
}

func keyOf(v *ast.MappingValueNode) string {
	if t := v.Key.GetToken(); t != nil {
		return t.Value
	}
	return v.Key.String()
}

// explainYAML is a library's error with its place in words.
func explainYAML(err error) error {
	if strings.HasPrefix(err.Error(), "line ") {
		return err
	}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return fmt.Errorf("line %d, column %d: %s", at.GetToken().Position.Line, at.GetToken().Position.Column, at.GetMessage())
	}
	return errors.New(strictyaml.Explain(err))
}
