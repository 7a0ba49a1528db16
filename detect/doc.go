// Package detect turns samples into scene health, motion and findings, inside
// a fixed CPU budget.
//
// This package holds types and pure logic: a Watch is one camera's memory and
// Watch.See judges one decoded picture. It decodes nothing and calls no C:
// codec decodes by libavcodec, opencv works on pixels by gocv, and worker runs
// both in child processes, so that a crash costs one worker's cameras two
// seconds and never the gateway.
package detect
