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
//     It has one owner at a time. Who decides must have seen the newest change
//     of state or owner; what departments and clocks add makes nobody's view
//     stale.
//   - Every row of a trace has a version of its own: a transition, a claim,
//     what a department says of its order, a clock that ran out.
//   - Routes are data: who works on what and by when, and what is not shown.
//     What is not shown is kept with the name of the rule that kept it back.
//   - Clocks count steady time and strike once, across restarts and whatever is
//     done to the clock on the wall; Engine.Run lets them run.
//   - A change of a lead, its step, its audit row and its outbox rows are one
//     transaction. Pictures are on disk before the row that names them.
//   - Whoever listens is told after the commit, and each sink from the outbox,
//     at least once, in order for each lead, with the same id on every try.
//
// Package audit chains the audit rows. Technologies live in subfolders:
// sqlstore, evidence, deliver/webhook. No lock of this package is held while
// another one is taken.
package alerts
