-- +goose Up

-- Subscriptions: few, read with each commit.
CREATE TABLE webhooks (
    nr            INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id    TEXT    NOT NULL UNIQUE,
    url           TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    events        TEXT    NOT NULL, -- JSON
    active        INTEGER NOT NULL,
    disabled      TEXT    NOT NULL,
    secrets       BLOB    NOT NULL, -- JSON
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    failing_since INTEGER,
    version       INTEGER NOT NULL
) STRICT;

-- One row per event and subscription. next_at is null once it is settled: the
-- index of what is due holds the others only, however many were delivered.
-- holder is whose attempt is under way; asked, that it was asked for again since
-- that began.
CREATE TABLE deliveries (
    webhook     INTEGER NOT NULL,
    workflow_id TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    status      TEXT    NOT NULL DEFAULT 'PENDING',
    attempts    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    last_at     INTEGER,
    next_at     INTEGER,
    response    INTEGER NOT NULL DEFAULT 0,
    error       TEXT    NOT NULL DEFAULT '',
    holder      TEXT    NOT NULL DEFAULT '',
    asked       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow_id, webhook, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (webhook, next_at, workflow_id, sequence) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_listed ON deliveries (webhook, status, created_at, workflow_id, sequence);

-- +goose Down
DROP TABLE deliveries;
DROP TABLE webhooks;
