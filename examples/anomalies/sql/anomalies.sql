-- Readings that are far from the 60 up to them, by a score that outliers do not move: the distance from
-- the median in standard deviations, which the quartiles stand for (of what is normally
-- distributed, 0.7413 of their distance is one).
CREATE TABLE readings (
  series      STRING,
  occurred_at TIMESTAMP_LTZ(3),
  measured    DOUBLE,
  measured_at AS LEAST(COALESCE(occurred_at, CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3))), CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3))),
  WATERMARK FOR measured_at AS measured_at - INTERVAL '5' SECOND
);

-- Each row is an event again, and comes with the same id when it is computed again.
CREATE TABLE anomalies (
  event_id    STRING,
  event_type  STRING,
  occurred_at TIMESTAMP_LTZ(3),
  series      STRING,
  kind        STRING,
  measured    DOUBLE,
  expected    DOUBLE,
  score       DOUBLE
);

CREATE VIEW quartiles AS
SELECT series, measured_at, measured,
  COUNT(*) OVER recent AS points,
  PERCENTILE(measured, ARRAY[0.25, 0.5, 0.75]) OVER recent AS q
FROM readings
WHERE series IS NOT NULL AND measured IS NOT NULL
WINDOW recent AS (PARTITION BY series ORDER BY measured_at ROWS BETWEEN 59 PRECEDING AND CURRENT ROW);

CREATE VIEW scored AS
SELECT series, measured_at, measured, q[2] AS expected,
  (measured - q[2]) / (0.7413 * NULLIF(q[3] - q[1], 0)) AS score
FROM quartiles
WHERE points = 60;

INSERT INTO anomalies
SELECT CONCAT_WS('/', 'spike', series, CAST(measured_at AS STRING)), 'anomaly', measured_at, series, 'spike', measured, expected, score
FROM scored
WHERE ABS(score) > 5;

-- Three in a row on the same side, each perhaps too near for a spike: the series has moved.
INSERT INTO anomalies
SELECT CONCAT_WS('/', 'shift', series, CAST(measured_at AS STRING)), 'anomaly', measured_at, series, 'shift', measured, expected, score
FROM scored MATCH_RECOGNIZE (
  PARTITION BY series
  ORDER BY measured_at
  MEASURES LAST(A.measured_at) AS measured_at, LAST(A.measured) AS measured,
    LAST(A.expected) AS expected, LAST(A.score) AS score
  ONE ROW PER MATCH
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A{3})
  DEFINE A AS ABS(A.score) > 2.5 AND SIGN(A.score) = SIGN(FIRST(A.score))
);
