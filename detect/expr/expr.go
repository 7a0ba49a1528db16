package expr

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"videopatrol/detect"
	"videopatrol/internal/strictyaml"
)

// The bounds of one expression.
const (
	maxLength  = 2000
	maxNesting = 50
	maxCost    = 1000
)

// Fact describes a variable of expressions.
type Fact struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	About string `json:"about"`

	of func(f *detect.Facts) any
}

// Facts lists what expressions can ask for.
func Facts() []Fact {
	text := func(name, about string, of func(f *detect.Facts) any) Fact { return Fact{name, "text", about, of} }
	number := func(name, about string, of func(f *detect.Facts) float64) Fact {
		return Fact{name, "number", about, func(f *detect.Facts) any { return of(f) }}
	}
	whole := func(name, about string, of func(f *detect.Facts) int) Fact {
		return Fact{name, "whole number", about, func(f *detect.Facts) any { return of(f) }}
	}
	return []Fact{
		text("kind", "kind of the zone, such as \"road\"", func(f *detect.Facts) any { return string(f.Kind) }),
		whole("present", "things in the zone that its ground does not show", func(f *detect.Facts) int { return f.Present }),
		whole("standing", "things that have come to stand there", func(f *detect.Facts) int { return f.Standing }),
		number("dwell", "seconds for which the first of those has stood", func(f *detect.Facts) float64 { return f.Dwell.Seconds() }),
		number("coverage", "share of the zone (0..1) that shows something", func(f *detect.Facts) float64 { return f.Coverage }),
		number("moving", "share of the zone (0..1) that shows something which does not stand", func(f *detect.Facts) float64 { return f.Moving }),
		number("size", "size of the largest thing, in standing persons; 0 without a perspective", func(f *detect.Facts) float64 { return f.Size }),
		number("count", "people: counted by a model, else estimated by the perspective; -1 where neither tells", func(f *detect.Facts) float64 { return f.Count }),
		{"seen", "true or false", "a model has looked", func(f *detect.Facts) any { return f.Seen }},
		{"classes", "map", "what a model saw in the zone: \"car\" in classes, classes.of(\"car\") >= 2", func(f *detect.Facts) any {
			if f.Classes == nil {
				return map[string]int{}
			}
			return f.Classes
		}},
		number("hour", "hour of the day at the site, 0 to below 24; 22.5 is 22:30", func(f *detect.Facts) float64 { return f.Hour }),
		whole("weekday", "0 for Sunday to 6 for Saturday", func(f *detect.Facts) int { return int(f.Weekday) }),
		text("scene", "health of the picture; \"ok\", since rules are blind while it is anything else", func(f *detect.Facts) any { return string(f.Scene) }),
		number("luma", "mean brightness of the picture, 0..255", func(f *detect.Facts) float64 { return f.Luma }),
		number("flame", "score of flame, 0..1", func(f *detect.Facts) float64 { return f.Flame }),
		number("smoke", "score of smoke, 0..1", func(f *detect.Facts) float64 { return f.Smoke }),
	}
}

// environment is made when the first expression is.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.StdLib(), cel.ClearMacros(), cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxLength), cel.ParserRecursionLimit(maxNesting),
		cel.Function("of", cel.MemberOverload("classes_of", []*cel.Type{cel.MapType(cel.StringType, cel.IntType), cel.StringType}, cel.IntType,
			cel.BinaryBinding(func(m, class ref.Val) ref.Val {
				if n, ok := m.(traits.Mapper).Find(class); ok {
					return n
				}
				return types.Int(0)
			}))),
	}
	kinds := map[string]*cel.Type{
		"text": cel.StringType, "number": cel.DoubleType, "whole number": cel.IntType, "true or false": cel.BoolType,
		"map": cel.MapType(cel.StringType, cel.IntType),
	}
	for _, f := range Facts() {
		options = append(options, cel.Variable(f.Name, kinds[f.Type]))
	}
	return cel.NewCustomEnv(options...)
})

// compiled is an expression that is ready; watches of many cameras share it.
type compiled struct {
	program cel.Program
	facts   []Fact
}

// programs holds what was compiled, by source: there are few expressions and
// many cameras.
var programs sync.Map

// Compile compiles an expression. Its errors name line and column within it,
// and for an unknown fact the nearest known one.
func Compile(source string) (detect.Expr, error) {
	if c, ok := programs.Load(source); ok {
		return c.(*compiled), nil
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("expressions: %w", err)
	}
	ast, issues := env.Compile(source)
	if err := explain(issues); err != nil {
		return nil, err
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("line 1, column 1: the expression is %s, want true or false", ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("line 1, column 1: %w", err)
	}
	c := &compiled{program: program}
	used := map[string]bool{}
	for _, r := range ast.NativeRep().ReferenceMap() {
		used[r.Name] = true
	}
	for _, f := range Facts() {
		if used[f.Name] {
			c.facts = append(c.facts, f)
		}
	}
	if len(c.facts) == 0 {
		return nil, errors.New("line 1, column 1: the expression asks for no fact")
	}
	programs.Store(source, c)
	return c, nil
}

// Check tells what is wrong with an expression, or nil.
func Check(source string) error {
	_, err := Compile(source)
	return err
}

var undeclared = regexp.MustCompile(`undeclared reference to '([^']+)'`)

// explain turns the first issues into one error with their places.
func explain(issues *cel.Issues) error {
	if issues.Err() == nil {
		return nil
	}
	const most = 3
	var parts []string
	for _, e := range issues.Errors()[:min(most, len(issues.Errors()))] {
		message := strings.TrimSuffix(e.Message, " (in container '')")
		if m := undeclared.FindStringSubmatch(e.Message); m != nil {
			names := func(yield func(string) bool) {
				for _, f := range Facts() {
					if !yield(f.Name) {
						return
					}
				}
			}
			message = fmt.Sprintf("no such fact %q; did you mean %q?", m[1], strictyaml.Nearest(m[1], names))
		}
		if strings.Contains(message, "(double, int)") || strings.Contains(message, "(int, double)") {
			message += "; write a whole number as a fraction here, such as 5.0"
		}
		parts = append(parts, fmt.Sprintf("line %d, column %d: %s", max(1, e.Location.Line()), e.Location.Column()+1, message))
	}
	return errors.New(strings.Join(parts, "; "))
}

// Holds tells whether the expression is true of a zone.
func (c *compiled) Holds(f detect.Facts) (bool, error) {
	values := make(map[string]any, len(c.facts))
	for _, fact := range c.facts {
		values[fact.Name] = fact.of(&f)
	}
	v, _, err := c.program.Eval(values)
	if err != nil {
		return false, err
	}
	holds, ok := v.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the expression is %v, want true or false", v)
	}
	return holds, nil
}

// Uses tells whether the expression asks for a fact.
func (c *compiled) Uses(fact string) bool {
	return slices.ContainsFunc(c.facts, func(f Fact) bool { return f.Name == fact })
}
