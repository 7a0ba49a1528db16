// Package still takes a camera's picture by HTTP: one Open is one conditional
// GET of a JPEG.
//
// A visit to a camera that was seen before is one request: connections are
// kept within bounds, the login's nonce is used again (RFC 7616), and a picture
// that did not change answers 304 and costs no picture. After a few such
// answers the picture is asked for whole, so that scene health still sees a
// camera whose picture stands still.
//
// Everything that a camera sends is hostile: a body is at most 2 MiB and a JPEG
// by its bytes, not by what the header says; memory is asked for as bytes come;
// text is quoted and cut; no redirect leaves the scheme, host and port that the
// login belongs to.
package still
