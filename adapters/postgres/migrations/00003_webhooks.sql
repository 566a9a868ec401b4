-- +goose Up

-- Subscriptions: few, read with each commit. A number names one for its
-- deliveries, so that those of a subscription that was removed never turn up
-- under a later one with the same ID.
CREATE TABLE webhooks (
    nr            bigint      GENERATED ALWAYS AS IDENTITY,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    failing_since timestamptz,
    version       integer     NOT NULL,
    active        boolean     NOT NULL,
    webhook_id    text COLLATE "C" NOT NULL,
    url           text COLLATE "C" NOT NULL,
    description   text COLLATE "C" NOT NULL,
    disabled      text COLLATE "C" NOT NULL,
    events        text[] COLLATE "C" NOT NULL,
    secrets       bytea       NOT NULL,
    CONSTRAINT webhooks_pkey PRIMARY KEY (nr)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX webhooks_id ON webhooks (webhook_id);
CREATE INDEX webhooks_active ON webhooks (nr) WHERE active;

-- One row per event and subscription. next_at is null once it is settled: the
-- index of what is due holds the others only, however many were delivered.
-- holder is whose attempt is under way; asked, that it was asked for again since
-- that began. No index covers what a claim changes, so that a claim stays within
-- the page (HOT), in the space that fillfactor leaves.
CREATE TABLE deliveries (
    webhook     bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    next_at     timestamptz,
    last_at     timestamptz,
    sequence    integer     NOT NULL,
    attempts    integer     NOT NULL DEFAULT 0,
    response    integer     NOT NULL DEFAULT 0,
    asked       boolean     NOT NULL DEFAULT false,
    workflow_id text COLLATE "C" NOT NULL,
    event       text COLLATE "C" NOT NULL,
    status      text COLLATE "C" NOT NULL DEFAULT 'PENDING',
    holder      text COLLATE "C" NOT NULL DEFAULT '',
    error       text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT deliveries_pkey PRIMARY KEY (workflow_id, webhook, sequence)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX deliveries_due ON deliveries (webhook, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_listed ON deliveries (webhook, status, created_at);

-- +goose Down
DROP TABLE deliveries, webhooks;
