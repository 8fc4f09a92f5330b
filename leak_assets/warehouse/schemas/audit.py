"""Views of the audit trail, and runs that failed. Its facts live in the files they speak of.

Each partition file carries the record of its write (rows, time range, content hash, code
version, run, input partitions) as Parquet key-value metadata, so data and record are replaced
in one atomic step and can never disagree. Superseded records are carried along.
"""

import polars as pl

from .table import UTC_US, Column, Table, View

_RECORDS = """
    SELECT parse_filename(file_name) AS file, decode(value)::JSON AS record
    FROM parquet_kv_metadata('{lake}/*/*/*.parquet')
    WHERE decode(key) = 'leak_assets'
"""

DATA_VERSIONS = View(
    "audit",
    "data_versions",
    "One version of one partition, current or superseded.",
    f"""
    WITH records AS ({_RECORDS}), versions AS (
        SELECT record AS v, true AS is_current FROM records
        UNION ALL
        SELECT unnest((record->'superseded')::JSON[]) AS v, false AS is_current FROM records
    )
    SELECT v->>'table' AS table_name, v->>'partition' AS partition,
        v->>'data_version' AS data_version, is_current,
        coalesce((v->>'revision')::BIGINT, 1) AS revision,
        (v->>'rows')::BIGINT AS rows,
        (v->>'first_ts')::TIMESTAMPTZ AS first_ts, (v->>'last_ts')::TIMESTAMPTZ AS last_ts,
        v->>'code_version' AS code_version, v->>'run_id' AS run_id,
        (v->>'written_at')::TIMESTAMPTZ AS written_at
    FROM versions
    """,
    {
        "table_name": "table, e.g. `telemetry.readings`",
        "partition": "partition, e.g. `date=2019-03-04__network=l-town`",
        "data_version": "hash of the content",
        "is_current": "whether this version is the one that queries see",
        "revision": "revision of the partition, from 1; versions of a day in progress share one",
        "rows": "number of rows",
        "first_ts": "earliest time in the partition",
        "last_ts": "latest time in the partition",
        "code_version": "version of the code that wrote it",
        "run_id": "run that wrote it",
        "written_at": "when",
    },
)

LINEAGE = View(
    "audit",
    "lineage",
    "One input of one version of one partition.",
    f"""
    WITH records AS ({_RECORDS}), versions AS (
        SELECT record AS v FROM records
        UNION ALL
        SELECT unnest((record->'superseded')::JSON[]) AS v FROM records
    ), inputs AS (
        SELECT v, unnest((v->'inputs')::JSON[]) AS i FROM versions
    )
    SELECT v->>'table' AS table_name, v->>'partition' AS partition,
        v->>'data_version' AS data_version,
        i->>'kind' AS input_kind, i->>'name' AS input_name, i->>'partition' AS input_partition,
        i->>'version' AS input_version, v->>'run_id' AS run_id
    FROM inputs
    """,
    {
        "table_name": "table that was written",
        "partition": "partition that was written",
        "data_version": "version that was written",
        "input_kind": "`table`, `file`, `model`, `contract`, `network` or `setting`",
        "input_name": "table, file, model … that was read",
        "input_partition": "its partition, empty where it has none",
        "input_version": "its content hash, version or value",
        "run_id": "run that did it",
    },
)

FAILED_RUNS = Table(
    "audit",
    "failed_runs",
    "One run of the daemon that failed. Append only.",
    ("run",),
    ("run_id",),
    (
        Column("run_id", pl.String, "run that failed"),
        Column("job", pl.String, "its job"),
        Column("site", pl.String, "site that it was for", True),
        Column("failed_at", UTC_US, "when the daemon noticed it"),
        Column("problem", pl.String, "what failed, in the program's words"),
    ),
    if_lost="Nothing to do: it is the log of what went wrong.",
)

TABLES = (FAILED_RUNS,)
VIEWS = (DATA_VERSIONS, LINEAGE)
