// Package play serves a simulated city's cameras from memory, and lets things
// happen before them by script.
//
// A camera plays whole GOPs, two seconds each, that its scene rendered and
// ffmpeg encoded once. What happens begins and ends at GOP boundaries or at a
// known frame within a GOP, and the ledger gets the moment at which that frame
// was sent. A wheel, at most one per processor, sends the frames of its
// cameras: it owns their state, builds an access unit's packets once, and writes them with one
// system call per reader, without ever waiting for one. A reader that lets
// too much pile up is cut off.
//
// Cameras may share a scene: then they share what is rendered of it, each with
// a phase and with key units of its own. A host is a listener that can go away
// and come back, and counts what its connections do.
//
// Lock order: camera.mu, then conn.mu, then host.mu, then tally.mu, then
// Ledger.mu; none is held during a blocking call, save conn.mu while an answer
// is written before PLAY. footage.making stands alone and is held while a scene
// is rendered.
package play
