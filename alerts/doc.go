// Package alerts folds findings into one lead per condition and carries each
// lead from raised to closed, with the whole trace.
//
// The condition is the identity: camera, zone and rule. Until it ends, a
// rejected or closed lead of it raises nothing, across restarts; condition
// state outlives the lead. A change of a lead, its trace row, its audit row
// and its outbox rows are one transaction, and whoever listens is told after
// the commit. Technologies live in subfolders: sqlstore, deliver/webhook.
package alerts
