-- +goose Up

-- decided is the version of the newest change of state or owner, since when
-- the lead came into its state.
ALTER TABLE leads ADD COLUMN decided INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leads ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leads ADD COLUMN level INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leads ADD COLUMN supervised INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leads ADD COLUMN merged_into TEXT NOT NULL DEFAULT '';
ALTER TABLE leads ADD COLUMN transfer_centre TEXT NOT NULL DEFAULT '';
ALTER TABLE leads ADD COLUMN transfer_key TEXT NOT NULL DEFAULT '';
ALTER TABLE leads ADD COLUMN transfer_at INTEGER NOT NULL DEFAULT 0;
UPDATE leads SET decided = version, since = changed_at;
CREATE INDEX leads_merged ON leads (merged_into, raised_at, id) WHERE merged_into <> '';
CREATE INDEX leads_owner ON leads (owner, state) WHERE owner <> '';
CREATE INDEX leads_transfer ON leads (transfer_key) WHERE transfer_key <> '';

ALTER TABLE lead_steps ADD COLUMN act TEXT NOT NULL DEFAULT 'moved';
ALTER TABLE lead_steps ADD COLUMN about TEXT NOT NULL DEFAULT '';

ALTER TABLE lead_orders ADD COLUMN part TEXT NOT NULL DEFAULT 'joint';
ALTER TABLE lead_orders ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lead_orders ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE lead_orders ADD COLUMN feedback TEXT NOT NULL DEFAULT '';
CREATE INDEX lead_orders_newest ON lead_orders (sent_at, id);
CREATE INDEX lead_orders_department ON lead_orders (department, sent_at, id);

-- quiet is the rule that keeps a condition back; lead is then a suppression.
ALTER TABLE conditions ADD COLUMN quiet TEXT NOT NULL DEFAULT '';
ALTER TABLE conditions ADD COLUMN shown INTEGER NOT NULL DEFAULT 0;

-- Times of clocks are steady ones, not of the wall. next_at 0: nothing more
-- happens.
CREATE TABLE lead_clocks (
    lead     TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    stage    TEXT NOT NULL,
    order_id TEXT NOT NULL,
    started  INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    next_at  INTEGER NOT NULL,
    rung     INTEGER NOT NULL,
    PRIMARY KEY (lead, stage, order_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX lead_clocks_next ON lead_clocks (next_at, lead, stage, order_id) WHERE next_at <> 0;

-- One row: what the steady and the wall clock told at the same moment.
CREATE TABLE lead_steady (
    id     INTEGER PRIMARY KEY,
    steady INTEGER NOT NULL,
    wall   INTEGER NOT NULL
) STRICT;

-- Every condition that was not shown as a lead of its own.
CREATE TABLE lead_suppressions (
    id     TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,
    rule   TEXT NOT NULL,
    camera TEXT NOT NULL,
    zone   TEXT NOT NULL,
    detector TEXT NOT NULL,
    kind   TEXT NOT NULL,
    began  INTEGER NOT NULL,
    detail TEXT NOT NULL,
    lead   TEXT NOT NULL
) STRICT;
CREATE INDEX lead_suppressions_newest ON lead_suppressions (at, id);
CREATE INDEX lead_suppressions_camera ON lead_suppressions (camera, at, id);

CREATE TABLE lead_shelves (
    id       TEXT PRIMARY KEY,
    camera   TEXT NOT NULL,
    zone     TEXT NOT NULL,
    rule     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    made_by  TEXT NOT NULL,
    from_at  INTEGER NOT NULL,
    to_at    INTEGER NOT NULL,
    ended_by TEXT NOT NULL
) STRICT;
CREATE INDEX lead_shelves_to ON lead_shelves (to_at, id);

CREATE TABLE lead_handovers (
    id         TEXT PRIMARY KEY,
    from_name  TEXT NOT NULL,
    offered_at INTEGER NOT NULL,
    note       TEXT NOT NULL,
    to_name    TEXT NOT NULL,
    taken_at   INTEGER,
    -- The leads that passed, as JSON.
    leads      TEXT NOT NULL
) STRICT;
CREATE INDEX lead_handovers_newest ON lead_handovers (offered_at, id);
