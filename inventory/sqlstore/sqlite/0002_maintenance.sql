-- +goose Up
CREATE TABLE maintenance (
	id       INTEGER NOT NULL PRIMARY KEY,
	begins   INTEGER NOT NULL, -- microseconds since 1970, UTC
	ends     INTEGER NOT NULL,
	cameras  TEXT    NOT NULL, -- ids as JSON
	cells    TEXT    NOT NULL, -- ids as JSON
	reason   TEXT    NOT NULL,
	made_by  TEXT    NOT NULL,
	made_at  INTEGER NOT NULL,
	ended_by TEXT    NOT NULL -- who ended it early, or ''
) STRICT;
CREATE INDEX maintenance_ends ON maintenance (ends);
