-- +goose Up

-- The audit of each node, chained by hash (package alerts/audit). The table
-- audit of version 1 is emptied into it at the next start, by the program: SQL
-- knows no SHA-256.
CREATE TABLE audit_rows (
    node    TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    purpose TEXT NOT NULL,
    client  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    hash    BLOB NOT NULL,
    PRIMARY KEY (node, seq)
) STRICT, WITHOUT ROWID;

-- The newest row of each node. Whoever adds a row updates this one first, and
-- so waits for whoever did before.
CREATE TABLE audit_heads (
    node TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_checkpoints (
    node      TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    signature BLOB NOT NULL,
    copied    INTEGER NOT NULL,
    PRIMARY KEY (node, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_checkpoints_uncopied ON audit_checkpoints (node, seq) WHERE copied = 0;

DELETE FROM lead_counters WHERE name = 'audit';
