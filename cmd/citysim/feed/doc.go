// Package feed gives whole days of simulated cameras as samples, without
// encoding and without RTSP, so that camera-days take seconds.
//
// A day is a function of its options: the same options give the same pictures
// and the same labels, to the bit. Labels are exact: from Begin to End a
// happening can be seen in its zone, or a fault befalls the whole picture.
// Nothing else that a rule may tell of happens; what people, cars, weather and
// light do otherwise is harmless, inside of zones as well.
//
// Pictures are smaller than a real camera's, 352 × 288 unless told otherwise,
// since the samples of a day are drawn one by one: their planes belong to the
// day and are overwritten by the next one.
package feed
