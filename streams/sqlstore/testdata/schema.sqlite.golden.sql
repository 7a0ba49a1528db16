CREATE TABLE coverage_hours (
    begins INTEGER NOT NULL PRIMARY KEY, -- microseconds since 1970, UTC; a whole hour
    closed INTEGER NOT NULL,             -- the end of its newest closed minute
    lines  BLOB    NOT NULL              -- see lines.go
) STRICT
