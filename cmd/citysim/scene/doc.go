// Package scene draws what a simulated camera sees: a street with a fire lane,
// or a gate with a closed area.
//
// Every scene is drawn anew from its seed: sky, buildings, colours, layout and
// lens all follow from it, and so does the zone, so that no two cameras look
// alike and a camera always looks like itself. Lengths in a scene are metres
// on a ground plane seen through a pinhole camera; pictures are YCbCr 4:2:0,
// full range. A happening is a list of takes, each made of whole groups of
// pictures (GOPs) of two seconds; any GOP that ends where another begins may
// be followed by it.
package scene
