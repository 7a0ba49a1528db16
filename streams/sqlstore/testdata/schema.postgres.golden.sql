coverage_hours
	begins bigint NOT NULL
	closed bigint NOT NULL
	lines bytea NOT NULL
	PRIMARY KEY (begins)
	CREATE UNIQUE INDEX coverage_hours_pkey ON public.coverage_hours USING btree (begins)
