// Package scene draws what a simulated camera sees: a street with a fire lane,
// a gate with a closed area, a plaza, a car park, a river bank, a street with
// neon signs, a crossroads, or a yard.
//
// Every scene is drawn anew from its seed: sky, buildings, colours, layout and
// lens all follow from it, and so does the zone, so that no two cameras look
// alike and a camera always looks like itself. Lengths in a scene are metres
// on a ground plane seen through a pinhole camera; pictures are YCbCr 4:2:0,
// full range. A happening is a list of takes, each made of whole groups of
// pictures (GOPs) of two seconds; any GOP that ends where another begins may
// be followed by it.
//
// A Scene is made of takes for an encoder, and a Painter draws them. A Stage
// is a scene in which time goes by, day and night, and draws any moment of it;
// the scenes other than street and gate are stages at one time of day.
package scene
