-- +goose Up

CREATE TABLE events (
    event_id    text        PRIMARY KEY,
    event_type  text,
    occurred_at timestamptz,
    payload     jsonb       NOT NULL,
    stream      text,
    shard       text,
    sequence    text,
    arrived_at  timestamptz,
    loaded_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE  events             IS 'Each event once, as its client sent it.';
COMMENT ON COLUMN events.event_id    IS 'Its identity: event_id of the event, else stream/shard/sequence of the record that first carried it.';
COMMENT ON COLUMN events.event_type  IS 'event_type of the event; null when it has none.';
COMMENT ON COLUMN events.occurred_at IS 'occurred_at of the event; null when it has none or it is not readable.';
COMMENT ON COLUMN events.payload     IS 'The whole event.';
COMMENT ON COLUMN events.stream      IS 'The stream, shard and sequence number that this row was loaded from.';
COMMENT ON COLUMN events.arrived_at  IS 'When the event first arrived in a stream.';
COMMENT ON COLUMN events.loaded_at   IS 'When this row was written.';

CREATE INDEX events_type_occurred ON events (event_type, occurred_at);

CREATE TABLE quarantine (
    origin         text        PRIMARY KEY,
    reason         text        NOT NULL,
    data           bytea       NOT NULL,
    arrived_at     timestamptz,
    quarantined_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE  quarantine        IS 'Records that can never be stored as events. Nothing is dropped: mend and replay them.';
COMMENT ON COLUMN quarantine.origin IS 'stream/shard/sequence of the record.';
COMMENT ON COLUMN quarantine.data   IS 'The record as it came.';

-- The loader's role may add and read, and nothing else. A role belongs to the
-- whole server: it may be there from another database.
-- +goose StatementBegin
DO $$
BEGIN
    CREATE ROLE millrace_loader LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
-- +goose StatementEnd
GRANT rds_iam TO millrace_loader;
GRANT SELECT, INSERT ON events, quarantine TO millrace_loader;
