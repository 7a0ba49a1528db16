// Package inventory knows which cameras exist, what they look at, which grid
// cell they stand in and how often each is patrolled.
//
// It is the ground floor: it imports the standard library only. The wanted
// set is published whole, as a Snapshot with a revision; whoever runs cameras
// makes reality match it. Technologies live in subfolders: geo (coordinates,
// point in polygon), importer (CSV and GeoJSON), sqldb and sqlstore (SQL).
package inventory
