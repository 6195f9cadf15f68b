-- Times are RFC 3339 in UTC, of fixed width, so that they sort as text.

CREATE TABLE items (
    key       TEXT    NOT NULL PRIMARY KEY,
    rev       INTEGER NOT NULL,
    writer    TEXT    NOT NULL,
    due       TEXT,
    requester TEXT,
    flow      TEXT,
    status    TEXT,
    created   TEXT,
    expires   TEXT,
    body      BLOB    NOT NULL
) STRICT;

CREATE INDEX items_due       ON items (due, key)                WHERE due IS NOT NULL;
CREATE INDEX items_requester ON items (requester, created, key) WHERE requester IS NOT NULL;
CREATE INDEX items_flow      ON items (flow, created, key)      WHERE flow IS NOT NULL;
CREATE INDEX items_status    ON items (status, created, key)    WHERE status IS NOT NULL;
CREATE INDEX items_expires   ON items (expires)                 WHERE expires IS NOT NULL;

-- AUTOINCREMENT: numbers must not be given again after the log was trimmed.
CREATE TABLE changes (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    key TEXT    NOT NULL,
    rev INTEGER NOT NULL
) STRICT;

-- seen is the seq of the last change that the consumer is done with.
CREATE TABLE consumers (
    name TEXT    NOT NULL PRIMARY KEY,
    seen INTEGER NOT NULL
) STRICT;

CREATE TABLE times (
    name TEXT NOT NULL PRIMARY KEY,
    at   TEXT NOT NULL
) STRICT;
