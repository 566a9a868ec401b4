-- +goose Up

-- Up to which version the events of a workflow are known to have been published.
ALTER TABLE workflows ADD COLUMN published INTEGER NOT NULL DEFAULT 0;

-- Ended workflows whose last events are still to be published, and the replica
-- that sees to it.
CREATE TABLE outbox (
    workflow_id TEXT    PRIMARY KEY,
    version     INTEGER NOT NULL,
    keeper      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_keeper ON outbox (keeper, created_at);

-- +goose Down
DROP TABLE outbox;
ALTER TABLE workflows DROP COLUMN published;
