-- The flights of 2013 with the instants at which their values became known, in UTC.
--
-- Airports publish local clock times without a date. `time_hour` is the scheduled hour in UTC; the
-- arrival is the first time after the departure that the clock of the destination shows `arr_time`.
CREATE TABLE prepared AS
WITH placed AS (
  SELECT
    raw.*,
    time_hour + to_minutes(minute) AS scheduled_at,
    -- Four airports of Puerto Rico and the Virgin Islands are missing from airports.csv.
    coalesce(tzone, 'America/Puerto_Rico') AS zone
  FROM raw
  LEFT JOIN airports ON airports.faa = raw.dest
),
departed AS (
  SELECT *, scheduled_at + to_minutes(dep_delay) AS departed_at FROM placed
),
local AS (
  SELECT
    *,
    date_trunc('day', departed_at AT TIME ZONE zone) + to_minutes(arr_time // 100 * 60 + arr_time % 100)
      AS arrival,
    date_trunc('day', scheduled_at AT TIME ZONE zone)
      + to_minutes(sched_arr_time // 100 * 60 + sched_arr_time % 100) AS scheduled_arrival
  FROM departed
),
instants AS (
  SELECT
    * EXCLUDE (zone, arrival, scheduled_arrival),
    CASE
      WHEN arrival AT TIME ZONE zone < departed_at + to_minutes(coalesce(air_time, 0))
      THEN (arrival + INTERVAL 1 DAY) AT TIME ZONE zone
      ELSE arrival AT TIME ZONE zone
    END AS arrived_at,
    CASE
      WHEN scheduled_arrival AT TIME ZONE zone < scheduled_at
      THEN (scheduled_arrival + INTERVAL 1 DAY) AT TIME ZONE zone
      ELSE scheduled_arrival AT TIME ZONE zone
    END AS scheduled_arrival_at
  FROM local
)
SELECT * FROM instants ORDER BY scheduled_at, carrier, flight;
