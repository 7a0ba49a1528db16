// Package detect turns samples into scene health, motion and findings, inside
// a fixed CPU budget.
//
// This package holds types and pure logic: a Watch is one camera's memory and
// Watch.See judges one decoded picture. It decodes nothing and calls no C:
// codec decodes by libavcodec, opencv works on pixels by gocv, and worker runs
// both in child processes, so that a crash costs one worker's cameras two
// seconds and never the gateway.
//
// # How a watch judges
//
// Privacy masks come first, on all planes. The rest works on luma reduced to
// at most 20,000 pixels, with colour for each nine of them, and on samples that are 1 to 60 s apart; time is
// their receive time.
//
// Scene health: dark and covered are declared by the second sample that shows
// them, so within 2 × (interval + GOP). Frozen, bright, moved, noisy and torn
// need three samples (3 × (interval + GOP)) that span 10 s or more; blurred,
// tinted, covered in part and frozen but for a clock need three that span 20 s.
// A sample that is suspect of what would mislead a rule, or identical with the
// one before, is no evidence for any rule, and neither is the first one after a
// fault, nor a whole one right after one that is suspect of being torn, nor up to
// five that disagree all over with a view that was to be seen before. A
// learned ground does not follow the picture while anything is suspected.
//
// All but dark, frozen and flat pictures are judged against views: where the
// camera's edges are, how sharp, noisy and coloured it is, learned from four
// sound samples over 8 s or more. Day, night and infrared have their own, since
// a change of light is no fault; what has to agree is the direction of edges,
// which fog, rain and dusk leave as it is. A camera that has moved stays so
// until it is back, or its zones are drawn anew, which says that its view is
// meant. Where it looks for 10 min is learned as a further preset: it is no
// fault where a zone, or no zone at all, asks for it, and zones of other
// presets are blind meanwhile. A scene without edges gives nothing to judge by:
// there, blurred, moved, torn and covered in part are not found.
//
// The ground (what the scene looks like when nothing is in it) is learned from
// the first three samples or more, over at least 8 s. What stands there then
// is ground: it is never reported as new, and when it leaves, the bare ground
// is recognised by where the outline is, with less proof in a zone whose
// unknown condition says that something stood there. When more than half of the
// picture changes for three samples, the ground is learned anew.
//
// Something that has stood without any change for 30 min becomes ground, unless
// it stands where a rule looks for that. Under a shadow or a beam the ground
// keeps its texture, and is still ground.
//
// Where luma tells nothing, colour may: a green jacket before water, a yellow box
// on pale stone. The ground keeps it coarsely, and judges it against the colour
// of the whole picture, so that a cast, dusk, shade and infrared are no evidence.
// And where no pixel tells, a place may: in a zone with a perspective in which
// nothing should be, whoever is up to 16 of the ground's rows tall is seen by how
// much all of his place differs from the ground, against what is beside it.
//
// # How rules judge
//
// A zone's rules are data: a preset named after its kind or by the zone, of
// presets.yaml or of the site's own file over it, with the zone's parameters
// over that. A rule looks for one thing. What is present begins with the first
// sample that shows it (the second, if the first was weak, as small as an insect
// before the lens, or a model doubts it) or after its dwell. What stands, a
// blocked fire lane, a parked car, a thing left, a standstill, must have come
// while the watch looked on, and stay for its dwell. What was taken must have been ground for long. A crowd is
// counted by a model where there is one, else by the perspective, else by how
// much of the zone is taken by what stirs. Flame and smoke are scores. A CEL
// expression over the Facts of a zone covers the rest. All end after two
// samples without, over the rule's clear; what hides a thing for a while does
// not end it.
//
// A Finder, which is a model, is a witness, never more: it is asked where
// something touches an armed zone whose rule names a class. What it knows to be
// something else does not count; what it does not know counts, but later. It
// alone can tell what stands there since first sight.
//
// Fire is watched for in colour, without a model: flame by its colours, which
// flicker in place, never twice alike; smoke by a grey veil that rises from one
// place, stays there, and is never the same. While the light of the whole zone
// changes, at dawn or under clouds, no smoke is confirmed. A classifier may tip a
// doubtful flame, but makes none.
//
// A condition that the record runs and the watch has not seen is unknown: it
// does not begin again. An unknown intrusion or crowd ends when nothing of it
// has shown for 3 min, or when something that stood there has left; an unknown
// condition of what stands only by the latter, or once something new that stood
// there has left, because a standing car and an empty lane both show no change.
// What was taken ends by the clock or when it is back, flame and smoke when
// they show no more: those need no memory.
package detect
