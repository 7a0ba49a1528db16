package detect

// FrameCheckpoint lets a fuzzer reach past the checksum.
var FrameCheckpoint = frameCheckpoint
