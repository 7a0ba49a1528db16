// Package sqlstore keeps leads, their trace, the outbox and the audit in SQL.
//
// A change is one transaction: the lead, its step, its audit row and its
// outbox rows are there together or not at all. Times are microseconds since
// 1970. The statements serve every engine that sqldb opens; lists page by key,
// never by offset.
package sqlstore
