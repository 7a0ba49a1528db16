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
// Lock order: Camera.mu, then conn.mu, then Ledger.mu; none is held during a
// blocking call, save conn.mu while an answer is written before PLAY.
package play
