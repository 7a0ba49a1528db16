// Package realparts proves the worker with its real decoder, OpenCV and watch:
// they live within the system call filter, and an abort in OpenCV ends no
// condition. It holds tests only.
package realparts
