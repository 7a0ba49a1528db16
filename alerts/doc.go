// Package alerts folds findings into one lead per condition and carries each
// lead from raised to closed, with the whole trace.
//
// The rules:
//
//   - The condition is the identity: camera, zone and rule. Until it ends, a
//     rejected or closed lead of it raises nothing, across restarts; condition
//     state outlives the lead. Fold decides, and says in one word what it was.
//   - A finding may come again, late or out of order. A Began that is known
//     never raises a second lead; one that was lost raises with whatever comes.
//   - A lead moves along one table of states; Judge decides and says why not.
//   - A change of a lead, its step, its audit row and its outbox rows are one
//     transaction. Pictures are on disk before the row that names them.
//   - Whoever listens is told after the commit, and each sink from the outbox,
//     at least once, in order for each lead, with the same id on every try.
//
// Package audit chains the audit rows. Technologies live in subfolders:
// sqlstore, evidence, deliver/webhook. No lock of this package is held while
// another one is taken.
package alerts
