// Package worker runs decoding, OpenCV and models in child processes without
// network, files or credentials, each holding the watches of its share of
// cameras.
//
// A Pool is the parent: it is the streams.Sink, keeps one pending sample per
// camera, and drives one child per lane with at most one sample in flight.
// Serve is the child. They speak over the child's standard input and output.
// The package needs Linux.
//
// # Rules
//
//   - A child that ends, or does not answer within the timeout, costs its
//     cameras less than two seconds: the sample in flight is quarantined, a new
//     child starts at once, and pending samples go on. A camera whose samples do
//     this again and again is shut out for growing times.
//   - A child may have been taken over by what it decoded: everything it says
//     is checked and capped (see decodeAnswer), and its findings count only
//     for the camera whose sample it was given.
//   - There is no spare child: one is ready in some 0.2 s, OpenCV included,
//     which together with the timeout stays below the two seconds.
//   - A child has no environment, no network, no path and no program, only its
//     three pipes, and at most 2 GiB; attributes and calls say how. Its parent
//     cannot end without it.
//   - One in flight at a time: while a lane waits in Reporter.Report no sample
//     is with its child, so a slow desk can never look like a hung child.
//   - A picture is made when somebody asks for it: the pool keeps each camera's
//     newest key unit, within Options.StillMemory, and its child draws it with
//     the masks of the newest config, in turn with samples. A picture that was
//     made under other masks, or of a camera that is gone, is never shown.
//   - A worker's restart says nothing about a scene. The pool makes no finding
//     of its own; a new child's watches are restored, never started afresh.
//
// # Why no finding is lost
//
// A watch's memory moves on when it makes a finding, so the memory must not
// outlive the finding. Per sample a lane does, in this order: (1) reads the
// answer, with its findings and perhaps a checkpoint of the watch after it;
// (2) reports every finding, again and again until it is durable; (3) accepts
// the checkpoint in memory; (4) writes it to disk. An answer that tells a
// condition's begin or end always carries a checkpoint, and that one is
// written at once. Therefore:
//
//   - The child dies before (1): its successor gets the checkpoint of before
//     the finding, sees the scene, and makes the finding again.
//   - The whole gateway dies before (2) is done: the same holds for the
//     checkpoint on disk. What was reported twice has the same id.
//   - The gateway dies between (2) and (4), or the disk refuses: the record
//     knows more than the checkpoint. A begin is in Config.Running; an end is
//     made again with the same id.
//   - A watch that starts without a checkpoint, or whose checkpoint does not
//     fit its config any more, gets Config.Running brought up to date by what
//     was reported since.
//   - Nothing in (3) and (4) is older than the last begin or end that was
//     reported, so a respawned child knows every running condition and when
//     it began.
//
// The one loss allowed is of what no later sample shows: a thing that came
// and went between the checkpoint and the first sample after the crash.
//
// # Locks
//
// A lane's mutex guards its cameras, its pending samples, its newest looks and
// who waits for them. Nothing is called and nothing is waited for while it is
// held. That of a meter is a leaf.
package worker
