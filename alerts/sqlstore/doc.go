// Package sqlstore keeps leads, their trace, the outbox and the audit in SQL.
//
// A change is one transaction: the lead, its step, its audit row and its
// outbox rows are there together or not at all. The audit's rows are a chain
// for each node, whose head is a row that the same transaction updates. Times are microseconds since
// 1970. The statements serve every engine that sqldb opens; lists page by key,
// never by offset.
package sqlstore
