-- +goose Up

-- How far each sink has the checkpoints of a node: all up to a row.
CREATE TABLE audit_copies (
    node    TEXT NOT NULL,
    sink    TEXT NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (node, sink)
) STRICT, WITHOUT ROWID;
INSERT INTO audit_copies (node, sink, through)
    SELECT node, 'file', MAX(seq) FROM audit_checkpoints WHERE copied = 1 GROUP BY node;
DROP INDEX audit_checkpoints_uncopied;
ALTER TABLE audit_checkpoints DROP COLUMN copied;
