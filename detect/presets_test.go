package detect_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

func TestEveryKindOfZoneHasRules(t *testing.T) {
	kinds := map[detect.Kind]bool{}
	for _, kind := range inventory.ZoneKinds() {
		rules, err := detect.DefaultPresets().Rules(inventory.Zone{ID: "z", Kind: kind})
		if err != nil || len(rules) == 0 {
			t.Errorf("%s: %d rules, %v", kind, len(rules), err)
		}
		for _, r := range rules {
			if r.Zone != "z" || r.Ref.ID != string(r.Kind) || r.Ref.Version < 1 || r.Params.Samples < 1 {
				t.Errorf("%s: %+v", kind, r)
			}
			kinds[r.Kind] = true
		}
	}
	for _, kind := range detect.Kinds() {
		if !kinds[kind] {
			t.Errorf("no built-in rule finds %s", kind)
		}
	}
}

// known knows one expression.
func known(expr string) error {
	if expr != "count > 3" {
		return errors.New("line 1, column 5: unknown")
	}
	return nil
}

func TestASitesOwnPresets(t *testing.T) {
	own, err := detect.DefaultPresets().Over([]byte(`
fire_lane:                     # only what differs
  rules:
    fire_lane_blocked: {version: 2, params: {dwell: 2m}}
night_market:
  zone: crowd
  rules:
    gathering: {kind: crowd, expr: count > 3, params: {dwell: 45s, samples: 3}}
    fight:
      kind: crowd
      when: crowd
      params: {count: 30, coverage: 0.5, classes: [person, bicycle]}
`), known)
	if err != nil {
		t.Fatal(err)
	}
	lane := inventory.Zone{ID: "z", Kind: inventory.ZoneFireLane}
	rules, err := own.Rules(lane)
	if err != nil || len(rules) != 1 {
		t.Fatalf("%v, %v", rules, err)
	}
	if r := rules[0]; r.Ref.Version != 2 || r.Params.Dwell != 2*time.Minute || r.Params.MinArea != 0.002 || r.When != detect.WhenStands {
		t.Errorf("the lane's rule is %+v", r)
	}
	lane.Dwell = 20 * time.Second
	if rules, _ = own.Rules(lane); rules[0].Params.Dwell != lane.Dwell {
		t.Errorf("the zone's dwell does not count: %v", rules[0].Params.Dwell)
	}
	market := inventory.Zone{ID: "m", Kind: inventory.ZoneCrowd, Preset: "night_market", Params: inventory.Params{"dwell": "10s", "fight.count": "50"}}
	rules, err = own.Rules(market)
	if err != nil || len(rules) != 2 {
		t.Fatalf("%v, %v", rules, err)
	}
	fight, gathering := rules[0], rules[1]
	if fight.Ref.ID != "fight" || fight.Params.Count != 50 || fight.Params.Dwell != 10*time.Second || len(fight.Params.Classes) != 2 {
		t.Errorf("fight is %+v", fight)
	}
	if gathering.When != detect.WhenExpr || gathering.Expr != "count > 3" || gathering.Params.Samples != 3 || gathering.Kind != detect.KindCrowd {
		t.Errorf("gathering is %+v", gathering)
	}
	if again, _ := detect.DefaultPresets().Rules(inventory.Zone{ID: "z", Kind: inventory.ZoneFireLane}); again[0].Ref.Version != 1 {
		t.Error("the built-in presets were changed")
	}
}

func TestBadPresetsAreRefusedWithTheirPlace(t *testing.T) {
	for text, says := range map[string]string{
		"a:\n  zone: crowd\n  rulse: {}":                                                           `line 3, column 3: unknown key "rulse"; did you mean "rules"?`,
		"a:\n  zone: crwd\n  rules: {x: {kind: crowd, when: crowd}}":                               `line 2, column 9: no such kind of zone "crwd"; did you mean "crowd"?`,
		"a:\n  rules: {x: {kind: crowd, when: crowd}}":                                             `line 2, column 3: preset "a": zone says`,
		"a:\n  zone: crowd":                                                                        `preset "a" has no rules`,
		"crowd:\n  zone: road\n  rules: {x: {kind: crowd, when: crowd}}":                           `line 2, column 9: preset "crowd" is for zones of kind "crowd"`,
		"a:\n  zone: crowd\n  rules:\n    x: {kind: crowd, when: crowds}":                          `line 4, column 28: a rule cannot look for "crowds"; did you mean "crowd"?`,
		"a:\n  zone: crowd\n  rules:\n    x: {kind: crwd, when: crowd}":                            `line 4, column 15: no such kind of finding "crwd"; did you mean "crowd"?`,
		"a:\n  zone: crowd\n  rules:\n    x: {when: crowd}":                                        `line 4, column 9: rule "x": kind says`,
		"a:\n  zone: crowd\n  rules:\n    x: {kind: crowd}":                                        `when says what is looked for`,
		"crowd:\n  rules:\n    crowd:\n      params:\n        dwel: 3s":                            `line 5, column 9: rule "crowd": a rule of crowd has no parameter "dwel"; did you mean "dwell"?`,
		"crowd:\n  rules:\n    crowd: {params: {dwell: soon}}":                                     `dwell: "soon" is no duration`,
		"crowd:\n  rules:\n    crowd: {params: {coverage: 2}}":                                     `line 3, column 22: rule "crowd": coverage: "2" is no number from 0.01 to 1`,
		"crowd:\n  rules:\n    crowd: {params: {samples: 1.5}}":                                    `"1.5" is no whole number`,
		"crowd:\n  rules:\n    crowd: {version: x}":                                                `line 3, column 22`,
		"crowd:\n  rules:\n    crowd: [1]":                                                         `line 3`,
		"a:\n  zone: crowd\n  rules:\n    x:\n      kind: crowd\n      expr: count > 4":            `line 6, column 13: rule "x": the expression: line 1, column 5`,
		"a:\n  zone: crowd\n  rules:\n    x: {kind: crowd, when: crowd, expr: count > 3}":          `an expression goes with`,
		"\"a b\":\n  zone: crowd\n  rules: {x: {kind: crowd, when: crowd}}":                        `want a name`,
		"a:\n  zone: crowd\n  rules:\n    x: {kind: crowd, when: crowd, params: {strong: 0.5}}":    `has no parameter "strong"`,
		"a: {zone: crowd, rules: {x: {kind: crowd, when: crowd, params: {classes: {person: 1}}}}}": `want text or a number`,
		"a: [": `line 1`,
	} {
		_, err := detect.DefaultPresets().Over([]byte(text), known)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, says)
		}
	}
	if _, err := detect.DefaultPresets().Over([]byte("a:\n  zone: crowd\n  rules: {x: {kind: crowd, expr: count > 3}}"), nil); err == nil {
		t.Error("an expression that nobody judges was taken")
	}
}

func TestBadZonesAreRefused(t *testing.T) {
	for says, z := range map[string]inventory.Zone{
		`no such preset "crwd"; did you mean "crowd"?`:            {Kind: inventory.ZoneCrowd, Preset: "crwd"},
		`preset "crowd" is for zones of kind "crowd", not "road"`: {Kind: inventory.ZoneRoad, Preset: "crowd"},
		`no rule for kind "park"`:                                 {Kind: "park"},
		`has no parameter "dwel"; did you mean "dwell"?`:          {Kind: inventory.ZoneRoad, Params: inventory.Params{"dwel": "3s"}},
		`dwell: "x" is no duration`:                               {Kind: inventory.ZoneRoad, Params: inventory.Params{"dwell": "x"}},
		`no rule "object_lost"; did you mean "object_left"?`:      {Kind: inventory.ZoneUnattended, Params: inventory.Params{"object_lost.dwell": "3s"}},
		`a rule of taken has no parameter "unmoved"`:              {Kind: inventory.ZoneUnattended, Params: inventory.Params{"object_taken.unmoved": "3s"}},
		`no rule of the preset has a parameter "count"`:           {Kind: inventory.ZoneUnattended, Params: inventory.Params{"count": "3"}},
	} {
		z.ID = "z"
		if err := detect.DefaultPresets().CheckZone(z); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
	// What one rule of a preset has and another has not is no mistake.
	z := inventory.Zone{ID: "z", Kind: inventory.ZoneUnattended, Params: inventory.Params{"unmoved": "5s", "hold": "1h"}}
	if err := detect.DefaultPresets().CheckZone(z); err != nil {
		t.Error(err)
	}
}

func FuzzPresets(f *testing.F) {
	f.Add(detect.PresetsText)
	f.Add("a:\n  zone: crowd\n  rules:\n    x:\n      kind: crowd\n      expr: |\n        count > 3\n")
	f.Fuzz(func(_ *testing.T, text string) {
		p, err := detect.DefaultPresets().Over([]byte(text), known)
		if err != nil {
			return
		}
		for _, name := range p.Names() {
			for _, kind := range inventory.ZoneKinds() {
				_ = p.CheckZone(inventory.Zone{ID: "z", Kind: kind, Preset: name})
			}
		}
	})
}
