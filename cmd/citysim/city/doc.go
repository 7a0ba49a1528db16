// Package city lays out a fictional city: towns, first-level cells and
// sub-cells as polygons without gaps or overlaps, and the cameras in them.
//
// Everything follows from the seed. The sub-cells are the quadrangles of a
// jittered lattice whose neighbours share their edges point by point; cells
// and towns are unions of them, so that no level has a gap or an overlap.
// Names are made up. Coordinates are WGS-84.
package city
