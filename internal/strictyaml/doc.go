// Package strictyaml reads YAML files that people write: an unknown key is an
// error, an empty file is none, and no file can end the program.
package strictyaml
