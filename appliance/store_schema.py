"""The schema of the findings store: each migration makes the next version of it (SQLite's `user_version`).

A migration is never changed once it was released; another one is added.
"""

from typing import LiteralString

FIRST: LiteralString = """
CREATE TABLE findings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice, so that a label's finding is always the same
    party TEXT NOT NULL,                    -- the call or party that later news update
    time_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,            -- wall clock: retention goes by it
    kind TEXT NOT NULL,
    verdict TEXT NOT NULL,
    score REAL NOT NULL,
    fraud_types TEXT NOT NULL,              -- JSON array
    source TEXT,
    caller TEXT,
    callee TEXT,
    call_id TEXT,
    line BLOB NOT NULL
) STRICT;
CREATE INDEX findings_party ON findings (party);
CREATE INDEX findings_call_id ON findings (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX findings_updated ON findings (updated_ns);
CREATE INDEX findings_verdict ON findings (verdict);

CREATE TABLE numbers (                      -- digits or name of a party, as `find` looks for them
    number TEXT NOT NULL,
    finding INTEGER NOT NULL REFERENCES findings (id) ON DELETE CASCADE,
    PRIMARY KEY (number, finding)
) STRICT, WITHOUT ROWID;
CREATE INDEX numbers_finding ON numbers (finding);

CREATE TABLE labels (                       -- without numbers or addresses: they outlive their finding
    id INTEGER PRIMARY KEY,
    finding INTEGER NOT NULL,
    label TEXT NOT NULL,
    labelled_by TEXT NOT NULL,
    time_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    verdict TEXT NOT NULL,
    score REAL NOT NULL,
    fraud_types TEXT NOT NULL,
    bundle TEXT
) STRICT;
CREATE INDEX labels_finding ON labels (finding);

CREATE TABLE minutes (
    minute INTEGER NOT NULL,                -- since the epoch
    name TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (minute, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (                      -- of the lists
    list TEXT NOT NULL,
    value TEXT NOT NULL,
    added_by TEXT NOT NULL,
    added_ns INTEGER NOT NULL,
    why TEXT NOT NULL,
    expires_ns INTEGER,                     -- NULL: never
    PRIMARY KEY (list, value)
) STRICT;
"""

MIGRATIONS: tuple[LiteralString, ...] = (FIRST,)
