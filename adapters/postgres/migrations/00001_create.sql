-- +goose Up

-- Numbers workflows inside the database: eight bytes instead of forty in every
-- key of events, and events of workflows that run together lie together.
CREATE SEQUENCE workflow_nr CACHE 64;

-- One row per workflow: what can be asked without reading its events.
--
-- Every transition updates this row, so no index may cover a column that
-- changes on ordinary transitions, in its keys or in its predicate, not even an
-- index that leaves out live workflows: then Postgres keeps the update within
-- the page (HOT) and writes no index at all. The space that fillfactor leaves
-- is for these updates. What lists need to find ended workflows by is therefore
-- kept twice: the columns ended_… are null until a workflow ends.
CREATE TABLE workflows (
    nr            bigint      NOT NULL,
    started_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    due_at        timestamptz,
    wake_at       timestamptz,
    prior_ended   timestamptz,          -- ended_at before the last change
    ended_updated timestamptz,          -- updated_at
    version       integer     NOT NULL,
    run           integer     NOT NULL,
    settled_steps integer     NOT NULL,
    total_steps   integer     NOT NULL,
    active        boolean     NOT NULL, -- status is not terminal
    blocks        boolean     NOT NULL, -- active or COMPLETED, with a business key
    workflow_id   text COLLATE "C" NOT NULL,
    saga_id       text COLLATE "C" NOT NULL,
    type          text COLLATE "C" NOT NULL,
    template_hash text COLLATE "C" NOT NULL,
    business_key  text COLLATE "C" NOT NULL,
    customer_id   text COLLATE "C" NOT NULL,
    priority      text COLLATE "C" NOT NULL,
    status        text COLLATE "C" NOT NULL,
    prior_status  text COLLATE "C",     -- status before the last change; null after the start
    saga          text COLLATE "C" NOT NULL,
    current_step  text COLLATE "C" NOT NULL,
    error_code    text COLLATE "C" NOT NULL,
    owner         text COLLATE "C" NOT NULL,
    ended_status  text COLLATE "C",     -- status
    ended_step    text COLLATE "C",     -- current_step, if there is one
    ended_error   text COLLATE "C",     -- error_code, if there is one
    metadata      bytea,
    CONSTRAINT workflows_pkey PRIMARY KEY (workflow_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX workflows_saga ON workflows (saga_id);
CREATE UNIQUE INDEX workflows_business_key ON workflows (business_key, type) WHERE blocks;

-- Live workflows: what is due, who holds what. Ended ones leave it.
CREATE INDEX workflows_live ON workflows (owner, due_at) WHERE active;

-- Ended workflows, for lists. Written once, when a workflow ends. The first
-- three serve every order under any filter on type, status and priority: totals
-- tells which combinations of them there are, and a list merges their scans.
CREATE INDEX workflows_ended_started ON workflows (type, ended_status, priority, started_at) WHERE NOT active;
CREATE INDEX workflows_ended_updated ON workflows (type, ended_status, priority, ended_updated) WHERE NOT active;
CREATE INDEX workflows_ended_id ON workflows (type, ended_status, priority, workflow_id) WHERE NOT active;
CREATE INDEX workflows_ended_customer ON workflows (customer_id, started_at) WHERE NOT active;
CREATE INDEX workflows_ended_key ON workflows (business_key) WHERE NOT active AND business_key <> '';
CREATE INDEX workflows_ended_error ON workflows (ended_error, started_at) WHERE ended_error IS NOT NULL;
CREATE INDEX workflows_ended_step ON workflows (ended_step, started_at) WHERE ended_step IS NOT NULL;

-- Events first_seq to last_seq of a workflow, as one change wrote them. A list
-- below a page is stored as it is: compressing would cost more than it saves.
CREATE TABLE events (
    nr        bigint  NOT NULL,
    first_seq integer NOT NULL,
    last_seq  integer NOT NULL,
    data      bytea   NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (nr, first_seq)
) WITH (toast_tuple_target = 8160);

CREATE TABLE idempotency (
    created_at  timestamptz NOT NULL,
    version     integer     NOT NULL,
    scope       text COLLATE "C" NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    workflow_id text COLLATE "C" NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (scope)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- A replica is live until its lease runs out, by the clock of this database.
CREATE TABLE replicas (
    replica    text COLLATE "C" PRIMARY KEY,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Metrics. A slot belongs to one connection at a time, so that commits never
-- wait for each other's counters; readers sum over the slots.
CREATE TABLE counts (
    bucket   timestamptz NOT NULL,
    n        bigint      NOT NULL,
    total_us bigint      NOT NULL,
    slot     integer     NOT NULL,
    type     text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    label    text COLLATE "C" NOT NULL,
    CONSTRAINT counts_pkey PRIMARY KEY (bucket, type, name, label, slot)
) WITH (fillfactor = 50);

-- How many workflows there are, so that no list needs to count them. Seconds
-- are the sum of durations for a terminal status, of the start times since
-- 1970 for an active one.
CREATE TABLE totals (
    n        bigint  NOT NULL,
    slot     integer NOT NULL,
    type     text COLLATE "C" NOT NULL,
    status   text COLLATE "C" NOT NULL,
    priority text COLLATE "C" NOT NULL,
    seconds  numeric NOT NULL,
    CONSTRAINT totals_pkey PRIMARY KEY (type, status, priority, slot)
) WITH (fillfactor = 50);

CREATE TABLE templates (
    hash        text COLLATE "C" PRIMARY KEY,
    template_id text COLLATE "C" NOT NULL,
    data        bytea NOT NULL
);

-- +goose Down
DROP TABLE templates, totals, counts, replicas, idempotency, events, workflows;
DROP SEQUENCE workflow_nr;
