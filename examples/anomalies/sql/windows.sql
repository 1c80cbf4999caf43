-- What each kind of event did in ten minutes of its own time.
CREATE TABLE events (
  event_type  STRING,
  occurred_at TIMESTAMP_LTZ(3),
  measured    DOUBLE,
  -- An event without a time has that of now, and a clock that is ahead closes no window of the others.
  happened_at AS LEAST(COALESCE(occurred_at, CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3))), CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3))),
  WATERMARK FOR happened_at AS happened_at - INTERVAL '5' SECOND
);

-- Each row is an event again, and comes with the same id when it is computed again.
CREATE TABLE windows (
  event_id    STRING,
  event_type  STRING,
  occurred_at TIMESTAMP_LTZ(3),
  kind        STRING,
  events      BIGINT,
  total       DOUBLE,
  least       DOUBLE,
  most        DOUBLE
);

INSERT INTO windows
SELECT CONCAT_WS('/', 'window', event_type, CAST(window_start AS STRING)), 'window', CAST(window_start AS TIMESTAMP_LTZ(3)),
  event_type, COUNT(*), SUM(measured), MIN(measured), MAX(measured)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(happened_at), INTERVAL '10' MINUTES))
WHERE event_type IS NOT NULL
GROUP BY event_type, window_start, window_end;
