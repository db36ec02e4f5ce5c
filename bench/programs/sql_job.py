"""The job in SQL, which runs in the JVM alone, in two ways.

An OVER window yields one row for each row. GROUP BY yields changes; the connector upsert-kafka writes the new value of each, which is one
for each row, too, as long as rows are not collected ("mini-batch").

`JSON_VALUE ... RETURNING INTEGER` fails the job over a text, so that the value is taken as text and cast. Unlike the other jobs it
takes a number that is written as a text.
"""

from __future__ import annotations

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from .producer import PRODUCER
from .settings import Settings

_SOURCE = """
CREATE TABLE flights (v STRING, arrived AS PROCTIME()) WITH (
  'connector' = 'kafka', 'properties.bootstrap.servers' = '{servers}', 'topic' = '{input}', 'properties.group.id' = '{group}',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'raw')
"""
_SINK = """
CREATE TABLE {name} ({columns}) WITH (
  'connector' = 'kafka', 'properties.bootstrap.servers' = '{servers}', 'topic' = '{topic}', 'format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{group}-{topic}',
  {producer})
"""
_UPSERT_SINK = """
CREATE TABLE {name} (`key` STRING, `count` BIGINT, `mean` DOUBLE, PRIMARY KEY (`key`) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka', 'properties.bootstrap.servers' = '{servers}', 'topic' = '{topic}', 'key.format' = 'raw',
  'value.format' = 'json', 'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{group}-{topic}',
  {producer})
"""
_PARSED = """
CREATE TEMPORARY VIEW parsed AS
SELECT v, arrived, JSON_VALUE(v, '$.key') AS k, TRY_CAST(JSON_VALUE(v, '$.delay') AS INTEGER) AS delay FROM flights
"""
_COUNT = """
INSERT INTO counts
SELECT k, COUNT(*) OVER w, SUM(CAST(delay AS BIGINT)) OVER w / CAST(COUNT(*) OVER w AS DOUBLE)
FROM parsed WHERE k IS NOT NULL AND delay IS NOT NULL
WINDOW w AS (PARTITION BY k ORDER BY arrived ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
"""
_COUNT_GROUPED = """
INSERT INTO counts
SELECT k, COUNT(*), SUM(CAST(delay AS BIGINT)) / CAST(COUNT(*) AS DOUBLE)
FROM parsed WHERE k IS NOT NULL AND delay IS NOT NULL GROUP BY k
"""
_REJECT = """
INSERT INTO rejects
SELECT CASE WHEN v IS JSON OBJECT THEN 'key or delay is missing, or of another type' ELSE 'no JSON object' END, TO_BASE64(v)
FROM parsed WHERE k IS NULL OR delay IS NULL
"""


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Build the job with an OVER window: one source, two sinks."""
    sink = _SINK.replace("{columns}", "`key` STRING, `count` BIGINT, `mean` DOUBLE")
    _build(env, settings, sink, _COUNT)


def build_grouped(env: StreamExecutionEnvironment, settings: Settings) -> None:
    """Build the job with GROUP BY."""
    _build(env, settings, _UPSERT_SINK, _COUNT_GROUPED)


def _build(env: StreamExecutionEnvironment, settings: Settings, sink: str, count: str) -> None:
    tables = StreamTableEnvironment.create(env)
    producer = ", ".join(f"'properties.{name}' = '{value}'" for name, value in PRODUCER.items())
    common = {"servers": settings.servers, "group": settings.group, "producer": producer}
    tables.execute_sql(_SOURCE.format(input=settings.input, **common))
    tables.execute_sql(sink.format(name="counts", topic=settings.output, **common))
    tables.execute_sql(_SINK.format(name="rejects", columns="`reason` STRING, `value` STRING", topic=settings.rejects, **common))
    tables.execute_sql(_PARSED)
    statements = tables.create_statement_set()
    statements.add_insert_sql(count)
    statements.add_insert_sql(_REJECT)
    statements.attach_as_datastream()
