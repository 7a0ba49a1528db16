// Package sqldb opens the gateway's SQL database and answers a write only
// once it is on disk.
//
// The rules:
//
//   - There is one writer. Write functions that wait at the same time run one
//     after the other inside one transaction, each in its own savepoint, and
//     share one commit and one fsync (group commit). One that fails is rolled
//     back alone. Nobody is answered before the commit, not even a function
//     that failed: what it read may have been a neighbour's work that the
//     commit then lost. A commit that fails answers everybody with its error.
//   - A write function runs on its caller's goroutine, holds the writer for as
//     long as it runs, and must be short: no network, no waiting, no Write
//     inside a Write.
//   - A write function may run more than once: what it changes outside of its
//     transaction it sets anew.
//   - A function whose statement failed returns the error: PostgreSQL takes no
//     further statement then. Constraints are never deferred to the commit:
//     there they would fail the whole group.
//   - A record of a change that another room keeps goes along in the change's
//     own transaction, by the context; see DB.Along.
//   - There are many readers. Each sees one consistent state and never blocks
//     the writer.
//   - One set of statements serves SQLite and PostgreSQL: $1, $2 … in number
//     order, ON CONFLICT, RETURNING, times as microseconds (Micros), booleans
//     as 0 and 1, rows closed before the next statement.
//   - Each store owns one set of migrations and its own version table; see
//     DB.Migrate. On SQLite every table is STRICT.
//
// SQLite runs in WAL mode with synchronous=FULL, foreign keys on, and BEGIN
// IMMEDIATE for writes.
//
// On PostgreSQL all gateways of a database take turns to write, by an advisory
// lock: a write sees the record as the write before left it, and commits in
// the order of the numbers that it took. Statements that nobody waits for
// (Tx.Later) share a round trip with the next one, queries that are known
// before (DB.WriteAhead, Tx.Ask) with each other. A group runs without
// savepoints until one of its writes fails.
package sqldb
