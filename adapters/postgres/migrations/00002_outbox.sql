-- +goose Up

-- Up to which version the events of a workflow are known to have been published.
ALTER TABLE workflows ADD COLUMN published integer NOT NULL DEFAULT 0;

-- Ended workflows whose last events are still to be published, and the replica
-- that sees to it. Each row is short-lived: written with the end of a workflow,
-- gone a moment later.
CREATE TABLE outbox (
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    version     integer     NOT NULL,
    workflow_id text COLLATE "C" NOT NULL,
    keeper      text COLLATE "C" NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (workflow_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
CREATE INDEX outbox_keeper ON outbox (keeper, created_at);

-- +goose Down
DROP TABLE outbox;
ALTER TABLE workflows DROP COLUMN published;
