-- +goose Up

-- Who changed what. Rows are written once, beside what they tell of, and removed
-- by age. The primary key is the order of lists; each further index finds what
-- one filter selects in (nearly) that order. All grow at few places: subjects
-- and actions are few, and targets mostly new.
CREATE TABLE audit (
    at         timestamptz NOT NULL,
    id         text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    role       text COLLATE "C" NOT NULL,
    action     text COLLATE "C" NOT NULL,
    target     text COLLATE "C" NOT NULL,
    reason     text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    trace_id   text COLLATE "C" NOT NULL,
    before     bytea,
    after      bytea,
    CONSTRAINT audit_pkey PRIMARY KEY (at, id)
);
CREATE INDEX audit_subject ON audit (subject, at);
CREATE INDEX audit_action ON audit (action, at);
CREATE INDEX audit_target ON audit (target, at);

-- How much of a key's quota is used in the window that ends then, and how much
-- the last lease was granted, since RETURNING sees only the new row.
CREATE TABLE quotas (
    ends_at timestamptz NOT NULL,
    used    integer     NOT NULL,
    granted integer     NOT NULL,
    key     text COLLATE "C" NOT NULL,
    CONSTRAINT quotas_pkey PRIMARY KEY (key)
) WITH (fillfactor = 50);
CREATE INDEX quotas_end ON quotas (ends_at);

CREATE TABLE settings (
    name  text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

-- One thing done to many workflows, and how far it is. While it runs it has one
-- of so many slots, which is what limits how many run.
CREATE TABLE batches (
    nr         bigint      GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    per_second integer     NOT NULL,
    total      integer     NOT NULL,
    succeeded  integer     NOT NULL,
    failed     integer     NOT NULL,
    slot       integer,
    batch_id   text COLLATE "C" NOT NULL,
    action     text COLLATE "C" NOT NULL,
    reason     text COLLATE "C" NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    role       text COLLATE "C" NOT NULL,
    status     text COLLATE "C" NOT NULL,
    keeper     text COLLATE "C" NOT NULL,
    request    bytea,
    filter     bytea,
    CONSTRAINT batches_pkey PRIMARY KEY (batch_id)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX batches_slot ON batches (slot) WHERE slot IS NOT NULL;
CREATE INDEX batches_created ON batches (created_at, batch_id);
CREATE INDEX batches_ended ON batches (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE batch_items (
    nr          bigint  NOT NULL, -- of the batch
    at          timestamptz,
    ord         integer NOT NULL, -- from 1
    done        boolean NOT NULL DEFAULT false,
    succeeded   boolean NOT NULL DEFAULT false,
    workflow_id text COLLATE "C" NOT NULL,
    code        text COLLATE "C" NOT NULL DEFAULT '',
    message     text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT batch_items_pkey PRIMARY KEY (nr, ord)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX batch_items_workflow ON batch_items (nr, workflow_id);

-- What retention finds workflows and their records by. Written once, when a
-- workflow ends or a record is made; ordinary transitions leave both alone.
CREATE INDEX workflows_ended_at ON workflows (ended_status, ended_at) WHERE NOT active;
CREATE INDEX idempotency_workflow ON idempotency (workflow_id);

-- +goose Down
DROP INDEX idempotency_workflow, workflows_ended_at;
DROP TABLE batch_items, batches, settings, quotas, audit;
