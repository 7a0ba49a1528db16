// Package sqlstore keeps the wall's users, sessions and API tokens in SQL.
//
// Of every secret only a hash is kept: argon2id of passwords, SHA-256 of the
// random secrets of sessions and tokens.
package sqlstore
