CREATE TABLE camera_history (
	revision INTEGER NOT NULL REFERENCES revisions (id),
	camera   TEXT    NOT NULL,
	existed  INTEGER NOT NULL,
	body     TEXT    NOT NULL,
	username TEXT    NOT NULL,
	password BLOB    NOT NULL,
	key_id   TEXT    NOT NULL,
	PRIMARY KEY (revision, camera)
) STRICT

CREATE TABLE cameras (
	id       TEXT NOT NULL PRIMARY KEY,
	body     TEXT NOT NULL, -- the camera as JSON, without login and derived cells
	username TEXT NOT NULL,
	password BLOB NOT NULL, -- nonce and ciphertext; empty when there is none
	key_id   TEXT NOT NULL  -- which key encrypted the password
) STRICT

CREATE TABLE grids (
	revision INTEGER NOT NULL PRIMARY KEY REFERENCES revisions (id),
	body     TEXT    NOT NULL
) STRICT

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
) STRICT

CREATE INDEX maintenance_ends ON maintenance (ends)

CREATE TABLE revisions (
	id      INTEGER NOT NULL PRIMARY KEY,
	at      INTEGER NOT NULL, -- microseconds since 1970, UTC
	made_by TEXT    NOT NULL,
	note    TEXT    NOT NULL,
	added   INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	removed INTEGER NOT NULL,
	grid    INTEGER NOT NULL, -- 1 when the revision replaced the grid
	undoes  INTEGER NOT NULL  -- the revision that this one took back, or 0
) STRICT
