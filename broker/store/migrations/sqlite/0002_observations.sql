-- The number of what devices are asked to read: one row. It only rises.

CREATE TABLE observations (
	one     INTEGER PRIMARY KEY CHECK (one = 1),
	digest  TEXT NOT NULL,
	version INTEGER NOT NULL
) STRICT;
