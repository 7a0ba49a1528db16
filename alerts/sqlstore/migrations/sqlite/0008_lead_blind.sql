-- +goose Up

-- Since when the lead's condition is not seen, and why; 0: it is.
ALTER TABLE leads ADD COLUMN blind_by TEXT NOT NULL DEFAULT '';
ALTER TABLE leads ADD COLUMN blind_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE leads ADD COLUMN blind_since INTEGER NOT NULL DEFAULT 0;
-- The conditions that go on.
CREATE INDEX leads_running ON leads (state, id) WHERE ended_at IS NULL;
