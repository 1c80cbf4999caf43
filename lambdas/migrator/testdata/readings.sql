-- +goose Up
-- +millrace tables [{"name":"readings","columns":[{"name":"device","type":"text","path":"$.device.id"},{"name":"at","type":"timestamptz"},{"name":"value","type":"numeric","nullable":true},{"name":"site","type":"text","default":"it's north"}],"key":["device","at"],"conflict":"update"}]

SET LOCAL lock_timeout = '10s';
CREATE TABLE "readings" (
    "event_id" text NOT NULL,
    "device" text NOT NULL,
    "at" timestamptz NOT NULL,
    "value" numeric,
    "site" text NOT NULL DEFAULT 'it''s north'::text,
    PRIMARY KEY ("device", "at")
);
COMMENT ON COLUMN "readings"."event_id" IS 'The event that this row is of.';
GRANT SELECT, INSERT, UPDATE ON "readings" TO millrace_loader;
