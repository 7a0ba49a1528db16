package detect

// FrameCheckpoint lets a fuzzer reach past the checksum.
var FrameCheckpoint = frameCheckpoint

// Blacken lets a test look at what masks leave of a picture.
var Blacken = blacken
