// Package importer reads cameras (CSV) and grid cells (GeoJSON) and plans what
// they change, and writes both out again. It changes nothing itself: a dry run
// is a plan that nobody applies.
//
// The rules:
//
//   - A row with anything wrong is rejected whole, with every fault named; the
//     other rows stand. What concerns the file as a whole is a FileError.
//   - An absent column or an empty cell leaves what is there, "-" clears it. An
//     absent row removes nothing unless Options.Replace says so, and then not
//     more than a few unless the exact number was announced.
//   - Of several rows with one id none is taken: nobody knows which is meant.
//   - Where a row names vendor, address and channel, the addresses that it does
//     not give are made from the vendor's template (templates.yaml).
//   - No password comes out again, in no value, reason, errors file or export;
//     addresses that hold one are refused.
package importer
