audit
	seq bigint NOT NULL
	at bigint NOT NULL
	made_by text COLLATE "C" NOT NULL
	action text COLLATE "C" NOT NULL
	object text COLLATE "C" NOT NULL
	purpose text COLLATE "C" NOT NULL
	client text COLLATE "C" NOT NULL
	detail text COLLATE "C" NOT NULL
	PRIMARY KEY (seq)
	CREATE UNIQUE INDEX audit_pkey ON public.audit USING btree (seq)

audit_checkpoints
	node text COLLATE "C" NOT NULL
	seq bigint NOT NULL
	hash bytea NOT NULL
	at bigint NOT NULL
	signature bytea NOT NULL
	PRIMARY KEY (node, seq)
	CREATE UNIQUE INDEX audit_checkpoints_pkey ON public.audit_checkpoints USING btree (node, seq)

audit_copies
	node text COLLATE "C" NOT NULL
	sink text COLLATE "C" NOT NULL
	through bigint NOT NULL
	PRIMARY KEY (node, sink)
	CREATE UNIQUE INDEX audit_copies_pkey ON public.audit_copies USING btree (node, sink)

audit_heads
	node text COLLATE "C" NOT NULL
	seq bigint NOT NULL
	hash bytea NOT NULL
	PRIMARY KEY (node)
	CREATE UNIQUE INDEX audit_heads_pkey ON public.audit_heads USING btree (node)

audit_rows
	node text COLLATE "C" NOT NULL
	seq bigint NOT NULL
	at bigint NOT NULL
	made_by text COLLATE "C" NOT NULL
	action text COLLATE "C" NOT NULL
	object text COLLATE "C" NOT NULL
	purpose text COLLATE "C" NOT NULL
	client text COLLATE "C" NOT NULL
	detail text COLLATE "C" NOT NULL
	hash bytea NOT NULL
	PRIMARY KEY (node, seq)
	CREATE UNIQUE INDEX audit_rows_pkey ON public.audit_rows USING btree (node, seq)

condition_begins
	camera text COLLATE "C" NOT NULL
	zone text COLLATE "C" NOT NULL
	rule text COLLATE "C" NOT NULL
	began bigint NOT NULL
	lead text COLLATE "C" NOT NULL
	PRIMARY KEY (camera, zone, rule, began)
	CREATE UNIQUE INDEX condition_begins_pkey ON public.condition_begins USING btree (camera, zone, rule, began)

conditions
	camera text COLLATE "C" NOT NULL
	zone text COLLATE "C" NOT NULL
	rule text COLLATE "C" NOT NULL
	kind text COLLATE "C" NOT NULL
	began bigint NOT NULL
	watched bigint NOT NULL
	last_seen bigint NOT NULL
	ended bigint
	lead text COLLATE "C" NOT NULL
	pictures bigint NOT NULL
	end_picture bigint NOT NULL
	quiet text COLLATE "C" NOT NULL DEFAULT ''::text
	shown bigint NOT NULL DEFAULT 0
	PRIMARY KEY (camera, zone, rule)
	CREATE INDEX conditions_lead ON public.conditions USING btree (lead)
	CREATE UNIQUE INDEX conditions_pkey ON public.conditions USING btree (camera, zone, rule)

lead_cameras
	lead text COLLATE "C" NOT NULL
	camera text COLLATE "C" NOT NULL
	from_at bigint NOT NULL
	until_at bigint
	FOREIGN KEY (lead) REFERENCES leads(id) ON DELETE CASCADE
	PRIMARY KEY (lead, camera)
	CREATE UNIQUE INDEX lead_cameras_pkey ON public.lead_cameras USING btree (lead, camera)

lead_cells
	cell text COLLATE "C" NOT NULL
	raised_at bigint NOT NULL
	lead text COLLATE "C" NOT NULL
	state text COLLATE "C" NOT NULL DEFAULT ''::text
	kind text COLLATE "C" NOT NULL DEFAULT ''::text
	FOREIGN KEY (lead) REFERENCES leads(id) ON DELETE CASCADE
	PRIMARY KEY (cell, raised_at, lead)
	CREATE INDEX lead_cells_kind ON public.lead_cells USING btree (cell, kind, raised_at, lead)
	CREATE INDEX lead_cells_lead ON public.lead_cells USING btree (lead)
	CREATE UNIQUE INDEX lead_cells_pkey ON public.lead_cells USING btree (cell, raised_at, lead)
	CREATE INDEX lead_cells_state ON public.lead_cells USING btree (cell, state, raised_at, lead, kind)

lead_clocks
	lead text COLLATE "C" NOT NULL
	stage text COLLATE "C" NOT NULL
	order_id text COLLATE "C" NOT NULL
	started bigint NOT NULL
	due_at bigint NOT NULL
	next_at bigint NOT NULL
	rung bigint NOT NULL
	ladder text COLLATE "C" NOT NULL DEFAULT 'null'::text
	FOREIGN KEY (lead) REFERENCES leads(id) ON DELETE CASCADE
	PRIMARY KEY (lead, stage, order_id)
	CREATE INDEX lead_clocks_next ON public.lead_clocks USING btree (next_at, lead, stage, order_id) WHERE (next_at <> 0)
	CREATE UNIQUE INDEX lead_clocks_pkey ON public.lead_clocks USING btree (lead, stage, order_id)

lead_counters
	name text COLLATE "C" NOT NULL
	value bigint NOT NULL
	PRIMARY KEY (name)
	CREATE UNIQUE INDEX lead_counters_pkey ON public.lead_counters USING btree (name)

lead_evidence
	lead text COLLATE "C" NOT NULL
	taken_at bigint NOT NULL
	sha256 text COLLATE "C" NOT NULL
	phase text COLLATE "C" NOT NULL
	boxes text COLLATE "C" NOT NULL
	size bigint NOT NULL
	FOREIGN KEY (lead) REFERENCES leads(id) ON DELETE CASCADE
	PRIMARY KEY (lead, taken_at, sha256)
	CREATE UNIQUE INDEX lead_evidence_pkey ON public.lead_evidence USING btree (lead, taken_at, sha256)
	CREATE INDEX lead_evidence_sha256 ON public.lead_evidence USING btree (sha256)

lead_handovers
	id text COLLATE "C" NOT NULL
	from_name text COLLATE "C" NOT NULL
	offered_at bigint NOT NULL
	note text COLLATE "C" NOT NULL
	to_name text COLLATE "C" NOT NULL
	taken_at bigint
	leads text COLLATE "C" NOT NULL
	PRIMARY KEY (id)
	CREATE INDEX lead_handovers_newest ON public.lead_handovers USING btree (offered_at, id)
	CREATE UNIQUE INDEX lead_handovers_pkey ON public.lead_handovers USING btree (id)

lead_orders
	lead text COLLATE "C" NOT NULL
	id text COLLATE "C" NOT NULL
	department text COLLATE "C" NOT NULL
	state text COLLATE "C" NOT NULL
	sent_at bigint NOT NULL
	changed_at bigint NOT NULL
	part text COLLATE "C" NOT NULL DEFAULT 'joint'::text
	round bigint NOT NULL DEFAULT 0
	reason text COLLATE "C" NOT NULL DEFAULT ''::text
	feedback text COLLATE "C" NOT NULL DEFAULT ''::text
	FOREIGN KEY (lead) REFERENCES leads(id) ON DELETE CASCADE
	PRIMARY KEY (lead, id)
	CREATE INDEX lead_orders_department ON public.lead_orders USING btree (department, sent_at, id)
	CREATE INDEX lead_orders_newest ON public.lead_orders USING btree (sent_at, id)
	CREATE UNIQUE INDEX lead_orders_pkey ON public.lead_orders USING btree (lead, id)

lead_shelves
	id text COLLATE "C" NOT NULL
	camera text COLLATE "C" NOT NULL
	zone text COLLATE "C" NOT NULL
	rule text COLLATE "C" NOT NULL
	kind text COLLATE "C" NOT NULL
	reason text COLLATE "C" NOT NULL
	made_by text COLLATE "C" NOT NULL
	from_at bigint NOT NULL
	to_at bigint NOT NULL
	ended_by text COLLATE "C" NOT NULL
	PRIMARY KEY (id)
	CREATE UNIQUE INDEX lead_shelves_pkey ON public.lead_shelves USING btree (id)
	CREATE INDEX lead_shelves_to ON public.lead_shelves USING btree (to_at, id)

lead_steady
	id bigint NOT NULL
	steady bigint NOT NULL
	wall bigint NOT NULL
	PRIMARY KEY (id)
	CREATE UNIQUE INDEX lead_steady_pkey ON public.lead_steady USING btree (id)

lead_steps
	lead text COLLATE "C" NOT NULL
	version bigint NOT NULL
	at bigint NOT NULL
	made_by text COLLATE "C" NOT NULL
	from_state text COLLATE "C" NOT NULL
	to_state text COLLATE "C" NOT NULL
	reason text COLLATE "C" NOT NULL
	note text COLLATE "C" NOT NULL
	act text COLLATE "C" NOT NULL DEFAULT 'moved'::text
	about text COLLATE "C" NOT NULL DEFAULT ''::text
	FOREIGN KEY (lead) REFERENCES leads(id) ON DELETE CASCADE
	PRIMARY KEY (lead, version)
	CREATE UNIQUE INDEX lead_steps_pkey ON public.lead_steps USING btree (lead, version)

lead_suppressions
	id text COLLATE "C" NOT NULL
	at bigint NOT NULL
	rule text COLLATE "C" NOT NULL
	camera text COLLATE "C" NOT NULL
	zone text COLLATE "C" NOT NULL
	detector text COLLATE "C" NOT NULL
	kind text COLLATE "C" NOT NULL
	began bigint NOT NULL
	detail text COLLATE "C" NOT NULL
	lead text COLLATE "C" NOT NULL
	PRIMARY KEY (id)
	CREATE INDEX lead_suppressions_camera ON public.lead_suppressions USING btree (camera, at, id)
	CREATE INDEX lead_suppressions_newest ON public.lead_suppressions USING btree (at, id)
	CREATE UNIQUE INDEX lead_suppressions_pkey ON public.lead_suppressions USING btree (id)

leads
	id text COLLATE "C" NOT NULL
	number bigint NOT NULL
	kind text COLLATE "C" NOT NULL
	severity text COLLATE "C" NOT NULL
	state text COLLATE "C" NOT NULL
	version bigint NOT NULL
	owner text COLLATE "C" NOT NULL
	canary bigint NOT NULL
	camera text COLLATE "C" NOT NULL
	raised_at bigint NOT NULL
	changed_at bigint NOT NULL
	began_at bigint NOT NULL
	last_seen_at bigint NOT NULL
	ended_at bigint
	about text COLLATE "C" NOT NULL
	decided bigint NOT NULL DEFAULT 0
	since bigint NOT NULL DEFAULT 0
	level bigint NOT NULL DEFAULT 0
	supervised bigint NOT NULL DEFAULT 0
	merged_into text COLLATE "C" NOT NULL DEFAULT ''::text
	transfer_centre text COLLATE "C" NOT NULL DEFAULT ''::text
	transfer_key text COLLATE "C" NOT NULL DEFAULT ''::text
	transfer_at bigint NOT NULL DEFAULT 0
	blind_by text COLLATE "C" NOT NULL DEFAULT ''::text
	blind_reason text COLLATE "C" NOT NULL DEFAULT ''::text
	blind_since bigint NOT NULL DEFAULT 0
	UNIQUE (number)
	PRIMARY KEY (id)
	CREATE INDEX leads_camera ON public.leads USING btree (camera, raised_at, id)
	CREATE INDEX leads_kind ON public.leads USING btree (canary, kind, raised_at, id)
	CREATE INDEX leads_merged ON public.leads USING btree (merged_into, raised_at, id) WHERE (merged_into <> ''::text)
	CREATE INDEX leads_newest ON public.leads USING btree (canary, raised_at, id)
	CREATE UNIQUE INDEX leads_number_key ON public.leads USING btree (number)
	CREATE INDEX leads_owner ON public.leads USING btree (owner, state) WHERE (owner <> ''::text)
	CREATE UNIQUE INDEX leads_pkey ON public.leads USING btree (id)
	CREATE INDEX leads_running ON public.leads USING btree (state, id) WHERE (ended_at IS NULL)
	CREATE INDEX leads_state ON public.leads USING btree (canary, state, raised_at, id)
	CREATE INDEX leads_state_kind ON public.leads USING btree (canary, state, kind, raised_at, id)
	CREATE INDEX leads_transfer ON public.leads USING btree (transfer_key) WHERE (transfer_key <> ''::text)

outbox
	sink text COLLATE "C" NOT NULL
	id text COLLATE "C" NOT NULL
	lead text COLLATE "C" NOT NULL
	version bigint NOT NULL
	body text COLLATE "C" NOT NULL
	created_at bigint NOT NULL
	state text COLLATE "C" NOT NULL
	tries bigint NOT NULL
	next_at bigint NOT NULL
	settled_at bigint
	fault text COLLATE "C" NOT NULL
	PRIMARY KEY (sink, id)
	UNIQUE (sink, lead, version)
	CREATE INDEX outbox_backlog ON public.outbox USING btree (sink, state, created_at) WHERE (state <> 'sent'::text)
	CREATE INDEX outbox_due ON public.outbox USING btree (sink, next_at, created_at, id) WHERE (state = 'pending'::text)
	CREATE INDEX outbox_heads ON public.outbox USING btree (sink, lead, version) WHERE (state = 'pending'::text)
	CREATE UNIQUE INDEX outbox_pkey ON public.outbox USING btree (sink, id)
	CREATE UNIQUE INDEX outbox_sink_lead_version_key ON public.outbox USING btree (sink, lead, version)
