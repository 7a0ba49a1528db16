-- +goose Up

-- A page of leads is read from one index for each state, each kind, or each of
-- both, which has the order too.
CREATE INDEX leads_state_kind ON leads (canary, state, kind, raised_at, id);
CREATE INDEX leads_kind ON leads (canary, kind, raised_at, id);

ALTER TABLE lead_cells ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE lead_cells ADD COLUMN kind TEXT NOT NULL DEFAULT '';
UPDATE lead_cells SET
    state = (SELECT l.state FROM leads l WHERE l.id = lead_cells.lead),
    kind = (SELECT l.kind FROM leads l WHERE l.id = lead_cells.lead);
CREATE INDEX lead_cells_state ON lead_cells (cell, state, raised_at, lead, kind);
CREATE INDEX lead_cells_kind ON lead_cells (cell, kind, raised_at, lead);
