-- +goose Up

-- What happens while the clock runs, as JSON; null: it started before clocks
-- kept it.
ALTER TABLE lead_clocks ADD COLUMN ladder TEXT NOT NULL DEFAULT 'null';
