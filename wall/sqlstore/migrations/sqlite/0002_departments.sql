-- +goose Up

-- The department that a user of that role belongs to; empty: none.
ALTER TABLE wall_users ADD COLUMN department TEXT NOT NULL DEFAULT '';
