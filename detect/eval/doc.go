// Package eval measures how well a watch finds what a person labelled.
//
// Labelled sources go in: real clips, degraded versions of them, clips with a
// standing thing pasted in, and rendered camera-days. Each runs through a real
// detect.Watch; what the watch declares is matched to the labels, and a Report
// comes out.
//
// # What counts
//
// A happening is of one kind, in one zone (scene faults have none), from Begin
// to End. It is due when it begins, or, where its rule waits for a dwell, that
// much later. A condition is what the watch declared: from the sample of its
// begin finding to the sample of its end finding; or a run of samples with the
// same scene fault.
//
//   - A condition answers a happening of its kind and zone if it was declared
//     between due and End, give or take the precision of the label and one
//     interval, 10 s at most: a sample stands for the time around it. The first
//     such condition finds the happening.
//     Every further one is a double, which is false: an officer gets a second
//     lead for the same thing.
//   - A happening that nothing answers, and that begins less than two intervals
//     and 2 s after another of its kind and zone, is joined to that one if its
//     condition still runs: a rule must see two empty samples before it ends.
//     It does not count.
//   - A condition that answers no happening is false, and so is one that comes
//     before its dwell is over.
//   - A happening that no condition answers is missed; also where a condition
//     of before had simply not ended, because nobody is told of the second.
//   - A happening that overlaps a labelled scene fault is blind, one that no
//     sample shows (to the precision of its label) is unsampled, one that
//     stands there at first sight, or whose label doubts it, is unsure: found
//     or not, none of them counts, and neither does what answers them.
//   - A happening whose kind or zone the build has no rule for has no rule yet:
//     it is listed and counts nowhere.
//   - The end of a found happening is missing if its condition still ran
//     EndGrace after End; it is early if the condition ended before End.
//
// Scene faults are counted twice: each by its name, and all of them as
// AnyFault, which asks only whether the picture was known not to be trusted.
//
// # Figures
//
// Precision = found ÷ (found + false), recall = found ÷ (found + missed), both
// with Wilson's 95 % interval. F1 = 2J ÷ (1 + J) where J = found ÷ (found +
// missed + false) is a share, so its interval is Wilson's for J carried over.
// Below Fewest happenings only the counts are given. Delay is from due to the
// declaring sample. The figures to believe are those of SplitTest: thresholds
// were chosen by looking at SplitTune.
package eval
