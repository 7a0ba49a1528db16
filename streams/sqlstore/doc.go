// Package sqlstore keeps the hours of the coverage ledger in SQL: one row an
// hour, its lines in one compact blob (lines.go). The open hour is written anew
// every minute, so a crash loses the minutes since.
package sqlstore
