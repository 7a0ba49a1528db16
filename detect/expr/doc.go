// Package expr judges the CEL expressions of rules (https://cel.dev): true or
// false of the facts of one zone in one look. An expression has no loops, is at
// most 2,000 characters long and its cost is limited, so that it takes
// microseconds. Facts lists what it can ask for.
//
//	count >= 20 && (hour >= 22 || hour < 6)
//	kind == "road" && standing >= 3 && moving < 0.05 && dwell > 45
//	classes.of("bicycle") >= 2 || "dog" in classes
package expr
