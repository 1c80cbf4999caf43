-- What every kind of event did in ten minutes of its own time.
CREATE TABLE events (
  event_type  STRING,
  occurred_at TIMESTAMP_LTZ(3),
  measured    DOUBLE,
  WATERMARK FOR occurred_at AS occurred_at - INTERVAL '5' SECOND
);

CREATE TABLE windows (
  event_type   STRING,
  window_start TIMESTAMP_LTZ(3),
  events       BIGINT,
  total        DOUBLE,
  least        DOUBLE,
  most         DOUBLE
);

INSERT INTO windows
SELECT event_type, CAST(window_start AS TIMESTAMP_LTZ(3)), COUNT(*), SUM(measured), MIN(measured), MAX(measured)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(occurred_at), INTERVAL '10' MINUTES))
GROUP BY event_type, window_start, window_end;
