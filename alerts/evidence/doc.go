// Package evidence keeps pictures as files named by the SHA-256 of their
// bytes.
//
// A picture is on disk, name and all, before Put returns, so that a record may
// name it. A file that no record names is harmless. What is read is checked
// against its name: a damaged picture is an error, never evidence.
package evidence
