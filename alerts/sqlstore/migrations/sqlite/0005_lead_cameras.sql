-- +goose Up

-- The cameras of a lead about cameras that fail.
CREATE TABLE lead_cameras (
    lead     TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    camera   TEXT NOT NULL,
    from_at  INTEGER NOT NULL,
    until_at INTEGER,
    PRIMARY KEY (lead, camera)
) STRICT, WITHOUT ROWID;
