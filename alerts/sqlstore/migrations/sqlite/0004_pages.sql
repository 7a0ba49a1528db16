-- +goose Up

-- A page of leads is read from one index for each state, which holds all that
-- the page is filtered by.
DROP INDEX leads_state;
CREATE INDEX leads_state ON leads (canary, state, raised_at, id, kind);
CREATE INDEX leads_kind ON leads (canary, kind, raised_at, id);

ALTER TABLE lead_cells ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE lead_cells ADD COLUMN kind TEXT NOT NULL DEFAULT '';
UPDATE lead_cells SET
    state = (SELECT l.state FROM leads l WHERE l.id = lead_cells.lead),
    kind = (SELECT l.kind FROM leads l WHERE l.id = lead_cells.lead);
CREATE INDEX lead_cells_state ON lead_cells (cell, state, raised_at, lead, kind);
CREATE INDEX lead_cells_kind ON lead_cells (cell, kind, raised_at, lead);
