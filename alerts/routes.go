package alerts

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"videopatrol/detect"
	"videopatrol/internal/strictyaml"
	"videopatrol/inventory"
)

// RoutesText is the routes of a demonstration city, as YAML: the form of a
// site's own.
//
//go:embed routes.yaml
var RoutesText string

// Routes says who works on what and by when: departments, routes, clocks and
// the calendar, and how much of what happens is shown. A nil Routes has
// nothing of it.
type Routes struct {
	departments []Department
	index       map[string]int
	posts       []Post
	routes      []Route
	calendar    Calendar
	clocks      []ClockRule
	quiet       Quiet
	outages     OutageRule
	zone        *time.Location
}

// Post is a person's place in the chain of duty, such as the shift's leader.
type Post struct {
	ID   string      `json:"id" yaml:"id"`
	Name detect.Text `json:"name" yaml:"name"`
}

// routesFile is what a site writes.
type routesFile struct {
	Departments []Department `yaml:"departments"`
	Posts       []Post       `yaml:"posts"`
	Routes      []Route      `yaml:"routes"`
	Calendar    Calendar     `yaml:"calendar"`
	Clocks      []ClockRule  `yaml:"clocks"`
	Quiet       Quiet        `yaml:"quiet"`
	Outages     OutageRule   `yaml:"outages"`
}

// ParseRoutes reads a site's file; its hours are local to zone. Errors name
// line and column, and all that is wrong is said at once.
func ParseRoutes(file []byte, zone *time.Location) (*Routes, error) {
	tree, err := parser.ParseBytes(file, 0)
	if err != nil {
		return nil, explainRoutes(err)
	}
	if err := checkHours(tree); err != nil {
		return nil, err
	}
	var f routesFile
	if err := strictyaml.Unmarshal(file, &f); err != nil {
		return nil, explainRoutes(err)
	}
	r := &Routes{
		departments: f.Departments, index: map[string]int{}, posts: f.Posts, routes: f.Routes,
		calendar: f.Calendar.In(zone), clocks: f.Clocks, quiet: f.Quiet, outages: f.Outages, zone: zone,
	}
	for i, d := range f.Departments {
		r.index[d.ID] = i
	}
	c := checker{routes: r, tree: tree}
	c.checkDepartments()
	c.checkRoutes()
	c.checkClocks()
	c.checkQuiet()
	return r, errors.Join(c.errs...)
}

// DefaultRoutes are those of RoutesText.
func DefaultRoutes(zone *time.Location) *Routes {
	r, err := ParseRoutes([]byte(RoutesText), zone)
	if err != nil {
		panic("the built-in routes: " + err.Error()) // a test reads them too
	}
	return r
}

// Differences lists the parts of a site's file in which the routes differ from
// others.
func (r *Routes) Differences(from *Routes) []string {
	a, b := *r, *from
	var parts []string
	for _, p := range []struct {
		name string
		a, b any
	}{
		{"departments", a.departments, b.departments},
		{"posts", a.posts, b.posts},
		{"routes", a.routes, b.routes},
		{"calendar", a.calendar, b.calendar},
		{"clocks", a.clocks, b.clocks},
		{"quiet", a.quiet, b.quiet},
		{"outages", a.outages, b.outages},
	} {
		if !reflect.DeepEqual(p.a, p.b) {
			parts = append(parts, p.name)
		}
	}
	return parts
}

// Departments lists every department.
func (r *Routes) Departments() []Department {
	if r == nil {
		return nil
	}
	return slices.Clone(r.departments)
}

// List lists every route, in the order in which they are tried.
func (r *Routes) List() []Route {
	if r == nil {
		return nil
	}
	return slices.Clone(r.routes)
}

// Department returns the department with that id.
func (r *Routes) Department(id string) (Department, bool) {
	if r == nil {
		return Department{}, false
	}
	i, ok := r.index[id]
	if !ok {
		return Department{}, false
	}
	return r.departments[i], true
}

// Centre is the centre that leads are transferred to when nobody names one;
// "" when there is none.
func (r *Routes) Centre() string {
	for _, d := range r.Departments() {
		if d.Centre {
			return d.ID
		}
	}
	return ""
}

// explainRoutes is a library's error with its place and the nearest key.
func explainRoutes(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return errors.New(strictyaml.Explain(err))
	}
	tok := at.GetToken()
	if _, ok := errors.AsType[*yaml.UnknownFieldError](err); ok {
		return fmt.Errorf("line %d, column %d: unknown key %q; did you mean %q?",
			tok.Position.Line, tok.Position.Column, tok.Value, strictyaml.Nearest(tok.Value, slices.Values(routesKeys)))
	}
	return fmt.Errorf("line %d, column %d: %s", tok.Position.Line, tok.Position.Column, at.GetMessage())
}

var routesKeys = []string{
	"departments", "posts", "routes", "calendar", "clocks", "quiet", "id", "name", "zh", "en", "service", "cells", "level", "above",
	"hours", "desks", "phone", "centre", "kinds", "lead", "joint", "copies", "holidays", "workdays", "stage", "severities",
	"within", "remind", "calendar", "escalate", "after", "to", "supervise", "cool_down", "chatter", "changes", "in",
	"neighbours", "flood", "leads", "shadow", "quarantine",
	"outages", "hold", "together", "share", "rule", "cameras", "for", "working", "expire",
}

// checkHours finds hours that cannot be read: the library would not say where
// they stand.
func checkHours(tree *ast.File) error {
	var errs hoursErrors
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			ast.Walk(&errs, doc.Body)
		}
	}
	return errors.Join(errs...)
}

type hoursErrors []error

// Visit looks at one node of the file.
func (e *hoursErrors) Visit(n ast.Node) ast.Visitor {
	v, ok := n.(*ast.MappingValueNode)
	if !ok || v.Key.GetToken().Value != "hours" {
		return e
	}
	if list, ok := v.Value.(*ast.SequenceNode); ok {
		for _, item := range list.Values {
			tok := item.GetToken()
			if _, err := inventory.ParseHours(tok.Value); err != nil {
				*e = append(*e, fmt.Errorf("line %d, column %d: %w", tok.Position.Line, tok.Position.Column, err))
			}
		}
	}
	return e
}

// checker collects all that is wrong with a file.
type checker struct {
	routes *Routes
	tree   *ast.File
	errs   []error
}

// bad notes a mistake at a path such as $.routes[3].lead, or at the nearest
// part of it that the file has.
func (c *checker) bad(where, format string, args ...any) {
	why := fmt.Errorf("%s: %s", strings.TrimPrefix(where, "$."), fmt.Sprintf(format, args...))
	for at := where; at != "$" && c.tree != nil; at = at[:strings.LastIndexAny(at, ".[")] {
		p, err := yaml.PathString(at)
		if err != nil {
			continue
		}
		if n, err := p.FilterFile(c.tree); err == nil && n != nil && n.GetToken() != nil {
			pos := n.GetToken().Position
			why = fmt.Errorf("line %d, column %d: %w", pos.Line, pos.Column, why)
			break
		}
	}
	c.errs = append(c.errs, why)
}

func (c *checker) checkDepartments() {
	seen := map[string]bool{}
	for i, d := range c.routes.departments {
		at := fmt.Sprintf("$.departments[%d]", i)
		if d.ID == "" || seen[d.ID] {
			c.bad(at+".id", "every department needs an id of its own")
		}
		seen[d.ID] = true
		if d.Name.ZH == "" || d.Name.EN == "" {
			c.bad(at+".name", "a department has a name in both languages: {zh: …, en: …}")
		}
		if !slices.Contains([]inventory.Level{"", inventory.LevelCity, inventory.LevelTown, inventory.LevelCell, inventory.LevelSubcell}, d.Level) {
			c.bad(at+".level", "no such level %q (want city, town, cell or subcell)", d.Level)
		}
		if d.Above != "" {
			c.known(at+".above", d.Above, false)
		}
		above := d.Above
		for n := 0; above != ""; n++ {
			if above == d.ID || n > len(c.routes.departments) {
				c.bad(at+".above", "the departments above %s lead back to it", d.ID)
				break
			}
			next, _ := c.routes.Department(above)
			above = next.Above
		}
	}
}

// known notes a department, or where it may be one a service, that is not there.
func (c *checker) known(at, name string, service bool) {
	var names []string
	for _, d := range c.routes.departments {
		names = append(names, d.ID)
		if service && d.Service != "" {
			names = append(names, d.Service)
		}
	}
	if !slices.Contains(names, name) {
		c.bad(at, "no such department %q; did you mean %q?", name, strictyaml.Nearest(name, slices.Values(names)))
	}
}

func (c *checker) checkRoutes() {
	seen := map[string]bool{}
	for i, r := range c.routes.routes {
		at := fmt.Sprintf("$.routes[%d]", i)
		if r.Name == "" || seen[r.Name] {
			c.bad(at+".name", "every route needs a name of its own")
		}
		seen[r.Name] = true
		c.checkKinds(at, r.Kinds)
		c.known(at+".lead", r.Lead, true)
		for j, d := range r.Joint {
			c.known(fmt.Sprintf("%s.joint[%d]", at, j), d, true)
		}
		for j, d := range r.Copies {
			c.known(fmt.Sprintf("%s.copies[%d]", at, j), d, true)
		}
	}
}

func (c *checker) checkKinds(at string, patterns []string) {
	for j, p := range patterns {
		_, err := path.Match(p, "")
		if err != nil || !slices.ContainsFunc(Kinds(), func(k detect.Kind) bool { return fitsKind([]string{p}, k) }) {
			c.bad(fmt.Sprintf("%s.kinds[%d]", at, j), "no kind is like %q (kinds: %v)", p, Kinds())
		}
	}
}
