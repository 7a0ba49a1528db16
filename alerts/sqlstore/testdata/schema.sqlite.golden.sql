CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    purpose TEXT NOT NULL,
    client  TEXT NOT NULL,
    detail  TEXT NOT NULL
) STRICT

CREATE TABLE audit_checkpoints (
    node      TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (node, seq)
) STRICT, WITHOUT ROWID

CREATE TABLE audit_copies (
    node    TEXT NOT NULL,
    sink    TEXT NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (node, sink)
) STRICT, WITHOUT ROWID

CREATE TABLE audit_heads (
    node TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT, WITHOUT ROWID

CREATE TABLE audit_rows (
    node    TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    purpose TEXT NOT NULL,
    client  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    hash    BLOB NOT NULL,
    PRIMARY KEY (node, seq)
) STRICT, WITHOUT ROWID

CREATE TABLE condition_begins (
    camera TEXT NOT NULL,
    zone   TEXT NOT NULL,
    rule   TEXT NOT NULL,
    began  INTEGER NOT NULL,
    lead   TEXT NOT NULL,
    PRIMARY KEY (camera, zone, rule, began)
) STRICT, WITHOUT ROWID

CREATE TABLE conditions (
    camera      TEXT NOT NULL,
    zone        TEXT NOT NULL,
    rule        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    began       INTEGER NOT NULL,
    watched     INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    ended       INTEGER,
    lead        TEXT NOT NULL,
    pictures    INTEGER NOT NULL,
    end_picture INTEGER NOT NULL, quiet TEXT NOT NULL DEFAULT '', shown INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (camera, zone, rule)
) STRICT, WITHOUT ROWID

CREATE INDEX conditions_lead ON conditions (lead)

CREATE TABLE lead_cameras (
    lead     TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    camera   TEXT NOT NULL,
    from_at  INTEGER NOT NULL,
    until_at INTEGER,
    PRIMARY KEY (lead, camera)
) STRICT, WITHOUT ROWID

CREATE TABLE lead_cells (
    cell      TEXT NOT NULL,
    raised_at INTEGER NOT NULL,
    lead      TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE, state TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (cell, raised_at, lead)
) STRICT, WITHOUT ROWID

CREATE INDEX lead_cells_kind ON lead_cells (cell, kind, raised_at, lead)

CREATE INDEX lead_cells_lead ON lead_cells (lead)

CREATE INDEX lead_cells_state ON lead_cells (cell, state, raised_at, lead, kind)

CREATE TABLE lead_clocks (
    lead     TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    stage    TEXT NOT NULL,
    order_id TEXT NOT NULL,
    started  INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    next_at  INTEGER NOT NULL,
    rung     INTEGER NOT NULL, ladder TEXT NOT NULL DEFAULT 'null',
    PRIMARY KEY (lead, stage, order_id)
) STRICT, WITHOUT ROWID

CREATE INDEX lead_clocks_next ON lead_clocks (next_at, lead, stage, order_id) WHERE next_at <> 0

CREATE TABLE lead_counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT

CREATE TABLE lead_evidence (
    lead     TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    taken_at INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    phase    TEXT NOT NULL,
    boxes    TEXT NOT NULL,
    size     INTEGER NOT NULL,
    PRIMARY KEY (lead, taken_at, sha256)
) STRICT, WITHOUT ROWID

CREATE INDEX lead_evidence_sha256 ON lead_evidence (sha256)

CREATE TABLE lead_handovers (
    id         TEXT PRIMARY KEY,
    from_name  TEXT NOT NULL,
    offered_at INTEGER NOT NULL,
    note       TEXT NOT NULL,
    to_name    TEXT NOT NULL,
    taken_at   INTEGER,
    -- The leads that passed, as JSON.
    leads      TEXT NOT NULL
) STRICT

CREATE INDEX lead_handovers_newest ON lead_handovers (offered_at, id)

CREATE TABLE lead_orders (
    lead       TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    department TEXT NOT NULL,
    state      TEXT NOT NULL,
    sent_at    INTEGER NOT NULL,
    changed_at INTEGER NOT NULL, part TEXT NOT NULL DEFAULT 'joint', round INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', feedback TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (lead, id)
) STRICT, WITHOUT ROWID

CREATE INDEX lead_orders_department ON lead_orders (department, sent_at, id)

CREATE INDEX lead_orders_newest ON lead_orders (sent_at, id)

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
) STRICT

CREATE INDEX lead_shelves_to ON lead_shelves (to_at, id)

CREATE TABLE lead_steady (
    id     INTEGER PRIMARY KEY,
    steady INTEGER NOT NULL,
    wall   INTEGER NOT NULL
) STRICT

CREATE TABLE lead_steps (
    lead       TEXT NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    made_by    TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    note       TEXT NOT NULL, act TEXT NOT NULL DEFAULT 'moved', about TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (lead, version)
) STRICT, WITHOUT ROWID

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
) STRICT

CREATE INDEX lead_suppressions_camera ON lead_suppressions (camera, at, id)

CREATE INDEX lead_suppressions_newest ON lead_suppressions (at, id)

CREATE TABLE leads (
    id           TEXT PRIMARY KEY,
    number       INTEGER NOT NULL UNIQUE,
    kind         TEXT NOT NULL,
    severity     TEXT NOT NULL,
    state        TEXT NOT NULL,
    version      INTEGER NOT NULL,
    owner        TEXT NOT NULL,
    canary       INTEGER NOT NULL,
    camera       TEXT NOT NULL,
    raised_at    INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    began_at     INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    ended_at     INTEGER,
    -- What never changes: summary, rule, camera, zone and grid, as JSON.
    about        TEXT NOT NULL
, decided INTEGER NOT NULL DEFAULT 0, since INTEGER NOT NULL DEFAULT 0, level INTEGER NOT NULL DEFAULT 0, supervised INTEGER NOT NULL DEFAULT 0, merged_into TEXT NOT NULL DEFAULT '', transfer_centre TEXT NOT NULL DEFAULT '', transfer_key TEXT NOT NULL DEFAULT '', transfer_at INTEGER NOT NULL DEFAULT 0, blind_by TEXT NOT NULL DEFAULT '', blind_reason TEXT NOT NULL DEFAULT '', blind_since INTEGER NOT NULL DEFAULT 0) STRICT

CREATE INDEX leads_camera ON leads (camera, raised_at, id)

CREATE INDEX leads_kind ON leads (canary, kind, raised_at, id)

CREATE INDEX leads_merged ON leads (merged_into, raised_at, id) WHERE merged_into <> ''

CREATE INDEX leads_newest ON leads (canary, raised_at, id)

CREATE INDEX leads_owner ON leads (owner, state) WHERE owner <> ''

CREATE INDEX leads_running ON leads (state, id) WHERE ended_at IS NULL

CREATE INDEX leads_state ON leads (canary, state, raised_at, id)

CREATE INDEX leads_state_kind ON leads (canary, state, kind, raised_at, id)

CREATE INDEX leads_transfer ON leads (transfer_key) WHERE transfer_key <> ''

CREATE TABLE outbox (
    sink       TEXT NOT NULL,
    id         TEXT NOT NULL,
    lead       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state      TEXT NOT NULL,
    tries      INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    settled_at INTEGER,
    fault      TEXT NOT NULL,
    PRIMARY KEY (sink, id),
    UNIQUE (sink, lead, version)
) STRICT

CREATE INDEX outbox_backlog ON outbox (sink, state, created_at) WHERE state <> 'sent'

CREATE INDEX outbox_due ON outbox (sink, next_at, created_at, id) WHERE state = 'pending'

CREATE INDEX outbox_heads ON outbox (sink, lead, version) WHERE state = 'pending'
