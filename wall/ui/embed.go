package ui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Files is the built page; it has no index.html when the page was not built.
func Files() fs.FS {
	sub, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // the directive above names dist
	}
	return sub
}
