package expr_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/detect"
	"videopatrol/detect/expr"
	"videopatrol/inventory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var rush = detect.Facts{
	Kind: inventory.ZoneRoad, Present: 5, Standing: 3, Dwell: 50 * time.Second, Coverage: 0.4, Moving: 0.02, Size: 2.5, Count: 12,
	Seen: true, Classes: map[string]int{"car": 3, "person": 12}, Hour: 22.5, Weekday: time.Friday, Scene: "ok", Luma: 90, Flame: 0.2, Smoke: 0.7,
}

func TestExpressions(t *testing.T) {
	for source, want := range map[string]bool{
		`count >= 12 && (hour >= 22 || hour < 6)`: true,
		`count > 12.5`: false,
		`kind == "road" && standing >= 3 && moving < 0.05 && dwell > 45`: true,
		`classes.of("car") >= 3 && classes.of("dog") == 0`:               true,
		`"dog" in classes`:                                                    false,
		`seen && "person" in classes`:                                         true,
		`scene == "ok" && luma > 80 && weekday in [5, 6]`:                     true,
		`flame > 0.5 || smoke > 0.5`:                                          true,
		`size > 2 && coverage - moving > 0.3 && present == 5`:                 true,
		`kind.startsWith("ro") ? present > 4 : false`:                         true,
		`count > 1 && count > 2 && count > 3 && count > 4 && !(count > 5000)`: true,
	} {
		e, err := expr.Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := e.Holds(rush); err != nil || got != want {
			t.Errorf("%s: %t, %v, want %t", source, got, err, want)
		}
	}
}

func TestBadExpressionsAreRefusedWithTheirPlace(t *testing.T) {
	for source, says := range map[string]string{
		`count >= 12 && dwel > 4`:   `line 1, column 16: no such fact "dwel"; did you mean "dwell"?`,
		"count >= 12 &&\n  hour":    "line 2, column 3",
		`count >=`:                  "line 1, column 9",
		`count`:                     "want true or false",
		`kind > 3`:                  "column 6",
		`[1,2,3].all(x, x > count)`: "column", // no loops
		`true`:                      "no fact",
		`count == 5`:                "such as 5.0",
		`classes.of(3) > 1`:         "column 11",
		strings.Repeat("count > 1 && ", 500) + "true":                     "size",
		strings.Repeat("(", 100) + "count > 1" + strings.Repeat(")", 100): "column",
	} {
		_, err := expr.Compile(source)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40s: %v, want it to say %q", source, err, says)
		}
	}
}

func TestUses(t *testing.T) {
	e, err := expr.Compile(`dwell > 30 && classes.of("car") > 0`)
	if err != nil {
		t.Fatal(err)
	}
	for fact, want := range map[string]bool{"dwell": true, "classes": true, "flame": false, "car": false} {
		if got := e.Uses(fact); got != want {
			t.Errorf("uses %s: %t", fact, got)
		}
	}
	again, err := expr.Compile(`dwell > 30 && classes.of("car") > 0`)
	if err != nil || again != e {
		t.Errorf("the same expression was compiled twice: %v", err)
	}
}

func TestCostIsLimited(t *testing.T) {
	e, err := expr.Compile(`kind.matches("` + strings.Repeat("(a|b)*", 100) + `") || count > 1`)
	if err != nil {
		return // refused before it runs is as good
	}
	facts := rush
	facts.Kind = inventory.ZoneKind(strings.Repeat("ab", 50000))
	if _, err := e.Holds(facts); err == nil {
		t.Error("an expression without end")
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`count >= 12 && dwell > 4`)
	f.Add(`classes.of("car") > 1 || "x" in classes`)
	f.Fuzz(func(_ *testing.T, source string) {
		if e, err := expr.Compile(source); err == nil {
			_, _ = e.Holds(rush)
		}
	})
}

func BenchmarkHolds(b *testing.B) {
	e, err := expr.Compile(`kind == "road" && standing >= 3 && moving < 0.05 && dwell > 45`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Holds(rush); err != nil {
			b.Fatal(err)
		}
	}
}
