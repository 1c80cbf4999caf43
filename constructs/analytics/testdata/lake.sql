CREATE TABLE history (event_type STRING, occurred_at TIMESTAMP_LTZ(3), WATERMARK FOR occurred_at AS occurred_at);
CREATE TABLE hours (event_type STRING, window_start TIMESTAMP(3), events BIGINT);
INSERT INTO hours
SELECT event_type, window_start, COUNT(*)
FROM TABLE(TUMBLE(TABLE history, DESCRIPTOR(occurred_at), INTERVAL '1' HOUR))
GROUP BY event_type, window_start, window_end;
