-- +goose Up

-- One row per workflow: what can be asked without reading its events. Times are
-- microseconds since 1970. No index covers what changes on every transition:
-- what lists need to find ended workflows by is kept twice, and the columns
-- ended_… are null until a workflow ends.
CREATE TABLE workflows (
    nr            INTEGER PRIMARY KEY,
    workflow_id   TEXT    NOT NULL UNIQUE,
    saga_id       TEXT    NOT NULL,
    type          TEXT    NOT NULL,
    template_hash TEXT    NOT NULL,
    business_key  TEXT    NOT NULL,
    customer_id   TEXT    NOT NULL,
    priority      TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    saga          TEXT    NOT NULL,
    current_step  TEXT    NOT NULL,
    settled_steps INTEGER NOT NULL,
    total_steps   INTEGER NOT NULL,
    error_code    TEXT    NOT NULL,
    metadata      BLOB,
    version       INTEGER NOT NULL,
    run           INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    owner         TEXT    NOT NULL,
    due_at        INTEGER,
    wake_at       INTEGER,
    active        INTEGER NOT NULL, -- status is not terminal
    blocks        INTEGER NOT NULL, -- active or COMPLETED, with a business key
    ended_status  TEXT,             -- status
    ended_updated INTEGER,          -- updated_at
    ended_step    TEXT,             -- current_step, if there is one
    ended_error   TEXT              -- error_code, if there is one
) STRICT;

CREATE INDEX workflows_saga ON workflows (saga_id);
CREATE UNIQUE INDEX workflows_business_key ON workflows (business_key, type) WHERE blocks;

-- Live workflows: what is due, who holds what. Ended ones leave it.
CREATE INDEX workflows_live ON workflows (owner, due_at) WHERE active;

-- Ended workflows, for lists. Written once, when a workflow ends. The first
-- three serve every order under any filter on type, status and priority: totals
-- tells which combinations of them there are, and a list merges their scans.
CREATE INDEX workflows_ended_started ON workflows (type, ended_status, priority, started_at, workflow_id) WHERE NOT active;
CREATE INDEX workflows_ended_updated ON workflows (type, ended_status, priority, ended_updated, workflow_id) WHERE NOT active;
CREATE INDEX workflows_ended_id ON workflows (type, ended_status, priority, workflow_id) WHERE NOT active;
CREATE INDEX workflows_ended_customer ON workflows (customer_id, started_at) WHERE NOT active;
CREATE INDEX workflows_ended_key ON workflows (business_key) WHERE NOT active AND business_key <> '';
CREATE INDEX workflows_ended_error ON workflows (ended_error, started_at) WHERE ended_error IS NOT NULL;
CREATE INDEX workflows_ended_step ON workflows (ended_step, started_at) WHERE ended_step IS NOT NULL;

-- Events first_seq to last_seq of a workflow, as one change wrote them, in the
-- order of commits: a batch fills a few pages at the end. Clustered by workflow
-- it would write a page per change.
CREATE TABLE events (
    id        INTEGER PRIMARY KEY,
    nr        INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    data      BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_of_workflow ON events (nr, first_seq);

CREATE TABLE idempotency (
    scope       TEXT    PRIMARY KEY,
    fingerprint TEXT    NOT NULL,
    workflow_id TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE replicas (
    replica    TEXT    PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counts (
    bucket   INTEGER NOT NULL,
    type     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    label    TEXT    NOT NULL,
    n        INTEGER NOT NULL,
    total_us INTEGER NOT NULL,
    PRIMARY KEY (bucket, type, name, label)
) STRICT, WITHOUT ROWID;

-- How many workflows there are, so that no list needs to count them. Age is in
-- milliseconds: the sum of durations for a terminal status, of the start times
-- since 1970 for an active one.
CREATE TABLE totals (
    type     TEXT    NOT NULL,
    status   TEXT    NOT NULL,
    priority TEXT    NOT NULL,
    n        INTEGER NOT NULL,
    age_ms   INTEGER NOT NULL,
    PRIMARY KEY (type, status, priority)
) STRICT, WITHOUT ROWID;

CREATE TABLE templates (
    hash        TEXT PRIMARY KEY,
    template_id TEXT NOT NULL,
    data        BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE templates;
DROP TABLE totals;
DROP TABLE counts;
DROP TABLE replicas;
DROP TABLE idempotency;
DROP TABLE events;
DROP TABLE workflows;
