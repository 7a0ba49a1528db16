wall_sessions
	secret_key bytea NOT NULL
	user_name text COLLATE "C" NOT NULL
	created bigint NOT NULL
	seen bigint NOT NULL
	expires bigint NOT NULL
	PRIMARY KEY (secret_key)
	FOREIGN KEY (user_name) REFERENCES wall_users(name)
	CREATE UNIQUE INDEX wall_sessions_pkey ON public.wall_sessions USING btree (secret_key)
	CREATE INDEX wall_sessions_user ON public.wall_sessions USING btree (user_name)

wall_tokens
	id text COLLATE "C" NOT NULL
	secret_key bytea NOT NULL
	user_name text COLLATE "C" NOT NULL
	label text COLLATE "C" NOT NULL
	created bigint NOT NULL
	expires bigint NOT NULL
	PRIMARY KEY (id)
	UNIQUE (secret_key)
	FOREIGN KEY (user_name) REFERENCES wall_users(name)
	CREATE UNIQUE INDEX wall_tokens_pkey ON public.wall_tokens USING btree (id)
	CREATE UNIQUE INDEX wall_tokens_secret_key_key ON public.wall_tokens USING btree (secret_key)
	CREATE INDEX wall_tokens_user ON public.wall_tokens USING btree (user_name)

wall_users
	name text COLLATE "C" NOT NULL
	role text COLLATE "C" NOT NULL
	hash text COLLATE "C" NOT NULL
	disabled bigint NOT NULL
	created bigint NOT NULL
	department text COLLATE "C" NOT NULL DEFAULT ''::text
	PRIMARY KEY (name)
	CREATE UNIQUE INDEX wall_users_pkey ON public.wall_users USING btree (name)
