// Package sqlstore keeps the inventory in SQL: cameras as they are wanted now,
// the grid, and what each revision changed, so that it can be undone.
//
// The rules:
//
//   - The newest snapshot is kept in memory; readers never touch the database.
//   - Cells of cameras and zones are derived, not stored.
//   - Passwords are encrypted at rest (XChaCha20-Poly1305, bound to their
//     camera's id), in the history too.
//   - A revision that was undone, and the one that undid it, count as if
//     neither had been: an undo conflicts only with what still stands.
//
// Lock order: Store.change, then Store.mu.
package sqlstore
