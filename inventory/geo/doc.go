// Package geo turns coordinates of the systems used in China into WGS-84 and
// finds the grid cell in which a place lies.
//
// Everything is stored as WGS-84; other systems exist only at an import. A
// place on the border of a cell lies in it; where several cells claim a place,
// the one with the smallest id has it, so that the answer never depends on an
// order. Areas that cross the 180th meridian are not supported.
package geo
