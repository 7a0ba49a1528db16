CREATE TABLE wall_sessions (
    secret_key BLOB    NOT NULL PRIMARY KEY,
    user_name  TEXT    NOT NULL REFERENCES wall_users (name),
    created    INTEGER NOT NULL,
    seen       INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) STRICT

CREATE INDEX wall_sessions_user ON wall_sessions (user_name)

CREATE TABLE wall_tokens (
    id         TEXT    NOT NULL PRIMARY KEY,
    secret_key BLOB    NOT NULL UNIQUE,
    user_name  TEXT    NOT NULL REFERENCES wall_users (name),
    label      TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) STRICT

CREATE INDEX wall_tokens_user ON wall_tokens (user_name)

CREATE TABLE wall_users (
    name     TEXT    NOT NULL PRIMARY KEY,
    role     TEXT    NOT NULL,
    hash     TEXT    NOT NULL,
    disabled INTEGER NOT NULL,
    created  INTEGER NOT NULL
, department TEXT NOT NULL DEFAULT '') STRICT
