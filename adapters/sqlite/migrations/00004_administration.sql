-- +goose Up

-- Who changed what. Rows are written once and removed by age. The primary key is
-- the order of lists; each further index ends with it.
CREATE TABLE audit (
    at         INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    trace_id   TEXT    NOT NULL,
    before     BLOB,
    after      BLOB,
    PRIMARY KEY (at, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_subject ON audit (subject, at);
CREATE INDEX audit_action ON audit (action, at);
CREATE INDEX audit_target ON audit (target, at);

-- How much of a key's quota is used in the window that ends then.
CREATE TABLE quotas (
    key     TEXT    PRIMARY KEY,
    used    INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX quotas_end ON quotas (ends_at);

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One thing done to many workflows, and how far it is.
CREATE TABLE batches (
    nr         INTEGER PRIMARY KEY,
    batch_id   TEXT    NOT NULL UNIQUE,
    action     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    request    BLOB,
    filter     BLOB,
    per_second INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    status     TEXT    NOT NULL,
    total      INTEGER NOT NULL,
    succeeded  INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    keeper     TEXT    NOT NULL
) STRICT;
CREATE INDEX batches_created ON batches (created_at, batch_id);
CREATE INDEX batches_running ON batches (created_at) WHERE ended_at IS NULL;
CREATE INDEX batches_ended ON batches (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE batch_items (
    nr          INTEGER NOT NULL, -- of the batch
    ord         INTEGER NOT NULL, -- from 0
    workflow_id TEXT    NOT NULL,
    done        INTEGER NOT NULL DEFAULT 0,
    succeeded   INTEGER NOT NULL DEFAULT 0,
    code        TEXT    NOT NULL DEFAULT '',
    message     TEXT    NOT NULL DEFAULT '',
    at          INTEGER,
    PRIMARY KEY (nr, ord)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX batch_items_workflow ON batch_items (nr, workflow_id);

-- What retention finds workflows, their records and deliveries by. Written once,
-- when a workflow ends, a record is made or a delivery is settled.
CREATE INDEX workflows_ended_at ON workflows (ended_status, ended_at) WHERE NOT active;
CREATE INDEX idempotency_workflow ON idempotency (workflow_id);
CREATE INDEX deliveries_settled ON deliveries (created_at) WHERE next_at IS NULL;

-- +goose Down
DROP INDEX deliveries_settled;
DROP INDEX idempotency_workflow;
DROP INDEX workflows_ended_at;
DROP TABLE batch_items;
DROP TABLE batches;
DROP TABLE settings;
DROP TABLE quotas;
DROP TABLE audit;
