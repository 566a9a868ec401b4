CREATE TABLE IF NOT EXISTS bus_groups (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    name  text NOT NULL,
    UNIQUE (topic, name)
);

-- A message once for each group that has still to take it.
CREATE TABLE IF NOT EXISTS bus_messages (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id  bigint NOT NULL,
    id        text NOT NULL,
    key       text NOT NULL,
    headers   jsonb NOT NULL,
    body      bytea NOT NULL,
    published timestamptz NOT NULL DEFAULT now(),
    tries     integer NOT NULL DEFAULT 0,
    holder    bigint NOT NULL DEFAULT 0,
    held_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX IF NOT EXISTS bus_messages_by_group ON bus_messages (group_id, seq);
CREATE INDEX IF NOT EXISTS bus_messages_by_key ON bus_messages (group_id, key, seq) WHERE key <> '';
CREATE INDEX IF NOT EXISTS bus_messages_by_age ON bus_messages (published);
