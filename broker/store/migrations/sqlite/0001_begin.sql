-- Times are Unix milliseconds; 0 means "not yet".

CREATE TABLE devices (
	id              TEXT PRIMARY KEY,
	jkt             TEXT NOT NULL UNIQUE,
	public_jwk      TEXT NOT NULL,
	ueid            TEXT NOT NULL,
	name            TEXT NOT NULL,
	platform        TEXT NOT NULL,
	agent_version   TEXT NOT NULL,
	scope           TEXT NOT NULL,
	key_protection  TEXT NOT NULL,
	key_attested    TEXT NOT NULL,
	hardware_id     TEXT NOT NULL,
	hardware_reason TEXT NOT NULL,
	state           TEXT NOT NULL CHECK (state IN ('active', 'pending', 'quarantined', 'revoked')),
	seq             INTEGER NOT NULL,
	nonce_gen       INTEGER NOT NULL,
	report_digest   TEXT NOT NULL,
	report          BLOB,
	report_at       INTEGER NOT NULL,
	enrolled_at     INTEGER NOT NULL,
	last_seen_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE enrolment_tokens (
	hash      TEXT PRIMARY KEY,
	note      TEXT NOT NULL,
	scope     TEXT NOT NULL,
	uses_left INTEGER NOT NULL CHECK (uses_left >= 0),
	expires   INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
	id           TEXT PRIMARY KEY,
	device_id    TEXT NOT NULL REFERENCES devices (id),
	jkt          TEXT NOT NULL,
	person       TEXT NOT NULL, -- JSON
	auth_time    INTEGER NOT NULL,
	acr          TEXT NOT NULL,
	generation   INTEGER NOT NULL, -- of the newest handle
	handle       TEXT NOT NULL,
	prev_handle  TEXT NOT NULL,
	started      INTEGER NOT NULL,
	ends         INTEGER NOT NULL,
	last_refresh INTEGER NOT NULL,
	revoked      INTEGER NOT NULL,
	revoked_why  TEXT NOT NULL
) STRICT;

CREATE INDEX sessions_live ON sessions (device_id) WHERE revoked = 0;

-- Every handle ever given out, so that an old one is known for what it is.
-- Rows may go when the session is over, for then none of them is good.
CREATE TABLE handles (
	hash       TEXT PRIMARY KEY,
	session_id TEXT NOT NULL REFERENCES sessions (id),
	generation INTEGER NOT NULL,
	ends       INTEGER NOT NULL -- of the session
) STRICT;

CREATE INDEX handles_ends ON handles (ends);

CREATE TABLE tunnels (
	id         TEXT PRIMARY KEY,
	device_id  TEXT NOT NULL REFERENCES devices (id),
	session_id TEXT NOT NULL REFERENCES sessions (id),
	app_id     TEXT NOT NULL,
	gateway_id TEXT NOT NULL,
	public_key TEXT NOT NULL UNIQUE, -- among ended tunnels too: a key serves one tunnel
	inner      INTEGER NOT NULL CHECK (inner > 0),
	lease_id   TEXT NOT NULL,
	stands_on  TEXT NOT NULL, -- JSON
	created    INTEGER NOT NULL,
	lease_ends INTEGER NOT NULL CHECK (lease_ends > 0),
	ended      INTEGER NOT NULL,
	end_cause  TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX tunnels_inner ON tunnels (inner) WHERE ended = 0;
CREATE UNIQUE INDEX tunnels_live ON tunnels (device_id, session_id, app_id) WHERE ended = 0;
CREATE INDEX tunnels_gateway ON tunnels (gateway_id) WHERE ended = 0;
CREATE INDEX tunnels_expiry ON tunnels (lease_ends) WHERE ended = 0;

CREATE TABLE gateways (
	id         TEXT PRIMARY KEY,
	device_id  TEXT NOT NULL REFERENCES devices (id),
	name       TEXT NOT NULL,
	public_key TEXT NOT NULL,
	epoch      TEXT NOT NULL,
	endpoints  TEXT NOT NULL, -- JSON
	last_seen  INTEGER NOT NULL
) STRICT;

CREATE TABLE app_addresses (
	app_id TEXT PRIMARY KEY,
	idx    INTEGER NOT NULL UNIQUE CHECK (idx > 0)
) STRICT;

-- The broker's own keys. The file that holds them is its owner's alone.
CREATE TABLE secrets (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT;
