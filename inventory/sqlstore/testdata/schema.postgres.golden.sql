camera_history
	revision bigint NOT NULL
	camera text COLLATE "C" NOT NULL
	existed bigint NOT NULL
	body text COLLATE "C" NOT NULL
	username text COLLATE "C" NOT NULL
	password bytea NOT NULL
	key_id text COLLATE "C" NOT NULL
	PRIMARY KEY (revision, camera)
	FOREIGN KEY (revision) REFERENCES revisions(id)
	CREATE UNIQUE INDEX camera_history_pkey ON public.camera_history USING btree (revision, camera)

cameras
	id text COLLATE "C" NOT NULL
	body text COLLATE "C" NOT NULL
	username text COLLATE "C" NOT NULL
	password bytea NOT NULL
	key_id text COLLATE "C" NOT NULL
	PRIMARY KEY (id)
	CREATE UNIQUE INDEX cameras_pkey ON public.cameras USING btree (id)

grids
	revision bigint NOT NULL
	body text COLLATE "C" NOT NULL
	PRIMARY KEY (revision)
	FOREIGN KEY (revision) REFERENCES revisions(id)
	CREATE UNIQUE INDEX grids_pkey ON public.grids USING btree (revision)

maintenance
	id bigint NOT NULL
	begins bigint NOT NULL
	ends bigint NOT NULL
	cameras text COLLATE "C" NOT NULL
	cells text COLLATE "C" NOT NULL
	reason text COLLATE "C" NOT NULL
	made_by text COLLATE "C" NOT NULL
	made_at bigint NOT NULL
	ended_by text COLLATE "C" NOT NULL
	PRIMARY KEY (id)
	CREATE INDEX maintenance_ends ON public.maintenance USING btree (ends)
	CREATE UNIQUE INDEX maintenance_pkey ON public.maintenance USING btree (id)

revisions
	id bigint NOT NULL
	at bigint NOT NULL
	made_by text COLLATE "C" NOT NULL
	note text COLLATE "C" NOT NULL
	added bigint NOT NULL
	changed bigint NOT NULL
	removed bigint NOT NULL
	grid bigint NOT NULL
	undoes bigint NOT NULL
	PRIMARY KEY (id)
	CREATE UNIQUE INDEX revisions_pkey ON public.revisions USING btree (id)
