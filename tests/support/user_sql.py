"""SQL of users over the sources `flights` and `weather`: attempts to break out, and good faith."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl

from serinus_runtime.features.columns import Column
from serinus_runtime.features.engine import Engine

SOURCES = ("flights", "weather")


class LockedEngine:
    """An engine that holds the two sources and is locked, as when a user's SQL runs."""

    def __init__(self, spill: Path) -> None:
        self.engine = Engine(spill)
        self.engine.connection.execute(
            "CREATE TABLE flights AS SELECT * FROM (VALUES "
            "(1, 'AA', 10, TIMESTAMPTZ '2024-01-01 10:00Z', [1, 2], '{\"a\": 1}'), "
            "(2, 'UA', 20, TIMESTAMPTZ '2024-01-02 10:00Z', [3], '{\"a\": 2}')) "
            "AS t(flight, carrier, delay, landed_at, stops, details); "
            "CREATE TABLE weather AS SELECT TIMESTAMPTZ '2024-01-01 09:00Z' AS time_hour, "
            "3.5 AS temp, 'AA' AS carrier"
        )
        self.engine.show("present", {name: f"FROM {self.engine.table(name)}" for name in SOURCES})
        self.session: duckdb.DuckDBPyConnection = self.engine.session("present")
        self.engine.lock()

    def run(self, sql: str, columns: Sequence[Column] = ()) -> pl.DataFrame:
        """Run SQL that passed no fence."""
        return self.engine.run(self.session, sql, columns)


HOSTILE = {
    "files": [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_csv('../../secret.csv')",
        "SELECT * FROM read_csv(current_setting('temp_directory') || '/*/content')",
        "SELECT * FROM read_csv_auto('/etc/passwd')",
        "SELECT * FROM read_json('/etc/passwd')",
        "SELECT * FROM read_ndjson_objects('/etc/passwd')",
        "SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')",
        "SELECT * FROM parquet_scan('/data/x.parquet')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT Delimiter AS x FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_duckdb('/tmp/other.db')",
        "FROM flights, LATERAL (FROM read_text('/etc/passwd'))",
        "FROM flights POSITIONAL JOIN read_text('/etc/passwd')",
        "SELECT (SELECT content FROM read_text('/etc/passwd')) FROM flights",
        "SELECT * FROM flights WHERE EXISTS (FROM glob('/etc/*'))",
        "SELECT * FROM flights ORDER BY (SELECT content FROM read_text('/etc/passwd'))",
        "SELECT * FROM flights LIMIT (SELECT count(*) FROM glob('/etc/*'))",
        "SELECT sum(1) OVER (ORDER BY (SELECT content FROM read_text('/etc/x'))) FROM flights",
        "SELECT list_transform([1], lambda x: (SELECT content FROM read_text('/etc/passwd')))",
        "VALUES ((SELECT content FROM read_text('/etc/passwd')))",
        "FROM range((SELECT count(*) FROM glob('/etc/*')))",
        "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 2 FROM r, read_text('/etc/x')) FROM r",
        "WITH a AS (WITH b AS (FROM read_text('/etc/passwd')) FROM b) FROM a",
        "FROM flights UNION ALL BY NAME FROM glob('/etc/*')",
        "PIVOT (FROM glob('/etc/*')) ON file IN ('/etc/passwd') USING count(*)",
    ],
    "replacement scans": [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM '../flights.csv'",
        'SELECT * FROM "/data/x.parquet"',
        "FROM 'http://127.0.0.1:1/x.csv'",
        "TABLE '/etc/passwd'",
        "SELECT * FROM engine",
        "SELECT * FROM HOSTILE",
    ],
    "writing": [
        "COPY flights TO '/tmp/stolen.csv'",
        "COPY (SELECT 1) TO '/tmp/stolen.csv'",
        "WITH x AS (COPY flights TO '/tmp/stolen.csv') SELECT 1",
        "WITH x AS (UPDATE flights SET delay = 0 RETURNING delay) FROM x",
        "WITH x AS (INSERT INTO flights SELECT * FROM flights RETURNING delay) FROM x",
        "WITH x AS (DELETE FROM flights RETURNING delay) FROM x",
        "SELECT * FROM (WITH x AS (DELETE FROM flights RETURNING delay) FROM x)",
        "EXPORT DATABASE '/tmp/stolen'",
        "IMPORT DATABASE '/tmp/stolen'",
        "CREATE TABLE more AS SELECT 1",
        "CREATE MACRO main.range(x) AS TABLE FROM read_text(x)",
        "CREATE TEMP TABLE flights AS SELECT 1",
        "DROP TABLE flights",
        "MERGE INTO flights USING weather ON true WHEN MATCHED THEN DELETE",
        "SELECT write_log('x')",
    ],
    "other statements": [
        "ATTACH '/tmp/other.db'",
        "DETACH memory",
        "USE system",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET threads = 64",
        "SET VARIABLE x = 1",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "PRAGMA enable_profiling",
        "CALL enable_logging()",
        "CHECKPOINT",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "BEGIN TRANSACTION",
        "COMMIT; BEGIN TRANSACTION; SELECT 1",
        "SELECT 1; COPY flights TO '/tmp/stolen.csv'",
        "SELECT 1 /* ; */ ; DROP TABLE flights --",
        "SELECT 1; SELECT 2",
        "",
        "-- SELECT 1",
        "SELECT ?",
        "SELECT $name",
    ],
    "statements in a text": [
        "SELECT * FROM query('COPY flights TO ''/tmp/stolen.csv''')",
        "SELECT * FROM query('FROM ' || 'sources.flights')",
        "SELECT * FROM query_table('flights')",
        "SELECT * FROM query_table(['memory.main.flights'])",
        "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM flights'))",
        "SELECT json_serialize_plan('FROM sources.flights')",
    ],
    "another name for a source": [
        "SELECT * FROM main.flights",
        "SELECT * FROM memory.main.flights",
        "SELECT * FROM memory.present.flights",
        "SELECT * FROM past_0.flights",
        "SELECT * FROM temp.flights",
        "WITH a AS (FROM past_0.flights) FROM a",
        "FROM (WITH hidden AS (SELECT 1) FROM hidden), hidden",
        "WITH a AS (FROM b), b AS (SELECT 1) FROM a",
        "SELECT * FROM flights AT (VERSION => 1)",
    ],
    "the catalog": [
        "SELECT * FROM duckdb_tables()",
        "SELECT * FROM duckdb_tables",
        "SELECT * FROM duckdb_views()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_temporary_files()",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM pg_catalog.pg_class",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pragma_table_info('flights')",
        "SELECT * FROM pragma_storage_info('flights')",
        "SELECT pg_get_viewdef(1)",
        "SELECT get_block_size('memory')",
        "DESCRIBE flights",
        "FROM (DESCRIBE flights)",
        "SUMMARIZE flights",
        "FROM (SUMMARIZE flights)",
        "SHOW TABLES",
        "FROM (SHOW ALL TABLES)",
        "SHOW DATABASES",
        "SELECT index_key('flights', 'i', 1)",
    ],
    "the session": [
        "SELECT getenv('HOME')",
        "SELECT current_setting('temp_directory')",
        "SELECT getvariable('x')",
        "SELECT current_query()",
        "SELECT current_schemas(true)",
        "SELECT current_schema",
        "SELECT in_search_path('memory', 'main')",
        "SELECT txid_current()",
        "SELECT nextval('s')",
        "SELECT error(tailnum) FROM flights",
        "SELECT assert_true(false, tailnum) FROM flights",
    ],
    "clock and chance": [
        "SELECT now()",
        "SELECT main.now()",
        "SELECT current_date",
        "SELECT Current_Timestamp",
        "SELECT localtimestamp",
        "SELECT localtime FROM flights",
        "SELECT current_localtimestamp()",
        "SELECT today()",
        "SELECT ago(INTERVAL 1 DAY)",
        "SELECT age(landed_at) FROM flights",
        "SELECT landed_at.age() FROM flights",
        "SELECT random()",
        "SELECT setseed(0.5)",
        "SELECT delay FROM flights ORDER BY random()",
        "SELECT uuid()",
        "SELECT gen_random_uuid()",
        "SELECT reservoir_quantile(delay, 0.5) FROM flights",
        "SELECT list_aggr([1, 2], 'reservoir_quantile', 0.5)",
        "SELECT list_aggr([1, 2], 'reservoir_' || 'quantile', 0.5)",
        "SELECT list_transform([1], lambda x: random())",
        "SELECT * FROM flights TABLESAMPLE 10%",
        "SELECT * FROM flights USING SAMPLE 10 ROWS",
        "SELECT pg_sleep(3600)",
        "SELECT sleep_ms(3600000)",
    ],
    "shape": [
        "SELECT " + "1 + " * 900 + "1",
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "PIVOT flights ON carrier USING sum(delay)",
        "PIVOT flights ON carrier IN planes USING sum(delay)",
        "SELECT __internal_decompress_string(1::UBIGINT)",
        "SELECT to_aggregate_state(''::BLOB, 'sum', 1)",
    ],
}

LEGITIMATE = [
    "SELECT 1 AS x -- with a comment",
    "/* first */ SELECT delay AS x FROM flights;",
    "FROM flights SELECT delay AS x",
    "SELECT Flights.DELAY AS x FROM FLIGHTS",
    "SELECT f.delay AS x FROM flights AS f, weather AS w WHERE f.carrier = w.carrier",
    "SELECT x FROM (VALUES (1), (2)) AS v(x)",
    "WITH a AS (FROM flights), b AS (FROM a) SELECT delay AS x FROM b",
    "WITH flights AS (SELECT delay AS x FROM flights) SELECT x FROM flights",
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 5) FROM r",
    "SELECT delay AS x FROM flights UNION ALL BY NAME SELECT temp AS x FROM weather",
    "SELECT 1 AS x UNION SELECT 2 EXCEPT SELECT 3 INTERSECT SELECT 3",
    (
        "SELECT avg(delay) OVER (PARTITION BY carrier ORDER BY landed_at "
        "RANGE BETWEEN INTERVAL 24 HOUR PRECEDING AND CURRENT ROW) AS x FROM flights"
    ),
    (
        "SELECT lag(delay, 1, 0) OVER w AS x, row_number() OVER w FROM flights "
        "WINDOW w AS (PARTITION BY carrier ORDER BY landed_at)"
    ),
    "SELECT first_value(delay IGNORE NULLS) OVER (ORDER BY flight) AS x FROM flights",
    (
        "SELECT temp AS x FROM flights ASOF LEFT JOIN weather "
        "ON flights.carrier = weather.carrier AND flights.landed_at >= weather.time_hour"
    ),
    "SELECT temp AS x FROM flights LEFT JOIN weather USING (carrier)",
    "SELECT x FROM flights, LATERAL (SELECT flights.delay + 1 AS x)",
    "SELECT x FROM flights POSITIONAL JOIN (SELECT 1 AS x)",
    "SELECT delay AS x FROM flights SEMI JOIN weather USING (carrier)",
    "SELECT DISTINCT ON (carrier) delay AS x FROM flights ORDER BY carrier, landed_at",
    (
        "SELECT delay AS x FROM flights QUALIFY row_number() OVER (PARTITION BY carrier "
        "ORDER BY landed_at DESC) = 1"
    ),
    (
        "SELECT count(*) FILTER (WHERE delay > 15) AS x, string_agg(carrier, ',' ORDER BY flight), "
        "arg_max(delay, landed_at), quantile_cont(delay, 0.5), approx_quantile(delay, 0.5) "
        "FROM flights GROUP BY ALL HAVING count(*) > 0"
    ),
    "SELECT sum(delay) AS x, grouping(carrier) FROM flights GROUP BY ROLLUP (carrier)",
    "SELECT * EXCLUDE (carrier) REPLACE (delay + 1 AS delay) RENAME (flight AS x) FROM flights",
    "SELECT COLUMNS('del.*') AS x FROM flights",
    "SELECT unnest(stops) AS x FROM flights",
    "SELECT stop AS x FROM flights, unnest(stops) AS s(stop)",
    "SELECT x FROM range(3) AS r(x)",
    (
        "SELECT x FROM generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-03', "
        "INTERVAL 1 DAY) AS g(x)"
    ),
    "SELECT value::INT AS x FROM flights, json_each(details)",
    "SELECT (details->>'$.a')::INT AS x, json_extract_string(details, 'a') FROM flights",
    (
        "SELECT list_sum(list_transform(stops, lambda s: s + 1)) AS x, "
        "[s FOR s IN stops IF s > 1], stops[1], stops[1:2], list_aggr(stops, 'max'), {'a': 1}.a, "
        "MAP {'k': 1}['k'] FROM flights"
    ),
    "SELECT hour(landed_at AT TIME ZONE 'America/New_York') AS x FROM flights",
    (
        "SELECT isodow(timezone('America/New_York', landed_at)) AS x, "
        "date_trunc('day', landed_at), EXTRACT(year FROM landed_at), epoch(landed_at), "
        "strftime(landed_at, '%H'), "
        "date_diff('day', landed_at, TIMESTAMPTZ '2024-03-01 00:00Z'), age(landed_at, landed_at), "
        "time_bucket(INTERVAL 1 HOUR, landed_at), strptime('2024', '%Y') FROM flights"
    ),
    (
        "SELECT coalesce(delay > 15, true) AS x, nullif(delay, 0), ifnull(delay, 0), "
        "CASE WHEN delay > 15 THEN 1 ELSE 0 END, if(delay > 15, 1, 0), TRY(1 // 0), "
        "TRY_CAST(carrier AS INT), delay BETWEEN 1 AND 2, delay IN (1, 2) FROM flights"
    ),
    (
        "SELECT carrier.lower() AS x, carrier ILIKE 'a%', carrier SIMILAR TO 'A.*', "
        "regexp_extract(carrier, 'A'), split_part(carrier, 'A', 1), trim(carrier) || 'x', "
        "carrier COLLATE NOCASE, hash(carrier), md5(carrier) FROM flights"
    ),
    (
        "SELECT (SELECT max(temp) FROM weather WHERE weather.carrier = flights.carrier) AS x "
        "FROM flights WHERE EXISTS (FROM weather) OR carrier IN (SELECT carrier FROM weather)"
    ),
    (
        "SELECT * FROM (SELECT carrier, delay FROM flights) "
        "PIVOT (sum(delay) FOR carrier IN ('AA' AS x, 'UA'))"
    ),
    "SELECT AA AS x FROM (PIVOT flights ON carrier IN ('AA') USING sum(delay) GROUP BY flight)",
    "PIVOT (SELECT flight AS x, carrier, delay FROM flights) ON carrier IN ('AA') USING max(delay)",
    "UNPIVOT (SELECT flight, delay FROM flights) ON flight, delay INTO NAME name VALUE x",
    "SELECT delay AS x FROM flights TABLESAMPLE reservoir(50%) REPEATABLE (3)",
    "SELECT delay AS x FROM flights USING SAMPLE 1 ROWS (reservoir, 42)",
    "SELECT delay AS x FROM flights ORDER BY ALL LIMIT 1 OFFSET 1",
    "SELECT user AS x, session_user, duration AS current FROM (SELECT 1 AS user, 2 AS duration)",
    'SELECT f."current_date" AS x FROM (SELECT 1 AS "current_date") AS f',
    (
        "SELECT ln(delay) AS x, delay ** 2, round(delay / 3, 2), greatest(delay, 1), width FROM "
        "(SELECT delay, stddev_samp(delay) OVER () AS width FROM flights)"
    ),
]
