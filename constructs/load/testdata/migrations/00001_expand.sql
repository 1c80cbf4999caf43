-- +goose Up
-- +millrace tables [{"name":"devices","columns":[{"name":"device","type":"text","path":"$.device.id"},{"name":"level","type":"numeric","nullable":true}],"key":["device"]}]

SET LOCAL lock_timeout = '10s';
CREATE TABLE "devices" (
    "event_id" text NOT NULL,
    "device" text NOT NULL,
    "level" numeric,
    PRIMARY KEY ("device")
);
COMMENT ON COLUMN "devices"."event_id" IS 'The event that this row is of.';
GRANT SELECT, INSERT ON "devices" TO millrace_loader;
