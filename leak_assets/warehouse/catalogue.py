"""The catalogue: a DuckDB file that holds views and comments only, and the README of tables.

Both are generated from the schemas. The file is rebuilt beside the old one and replaced in one
step, so `duckdb -readonly warehouse/leak.duckdb` works at any time.
"""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from leak_assets.system.files import publish, publishing

from .schemas import TABLES, VIEWS, Table, View

CATALOGUE_FILE = "leak.duckdb"
# What it was made from, so that a run need not make it again.
_MADE_OF = f"{CATALOGUE_FILE}.made_of"
# Zero rows in each table's folder: its view has the right columns before there is any data.
SCHEMA_FILE = "0_schema.parquet"
# In a table's folder while it has files of an older version, with other columns.
OLDER_FILE = "older_columns"
# People open the file with the DuckDB that they have, which may be older than ours.
STORAGE_VERSION = "v1.2.0"
_QUALIFIED = re.compile(r"[a-z_]\w*\.[a-z_]\w*")


def create_views(
    connection: duckdb.DuckDBPyConnection,
    lake: Path,
    history: Path,
    names: Collection[str] | None = None,
) -> None:
    """Create one view for each table of the lake, and the views over them.

    Without comments: `COMMENT ON` for 1,500 columns takes longer than all views do, and a
    connection of ours is asked for none. A table that keeps history has a function
    `<table>_history()` beside it, with all versions kept.

    Parameters
    ----------
    names
        Full names of the only tables and views that are needed; those that they rest on must be
        among them.
    """
    # Timestamps are UTC; without this DuckDB shows them in the zone of the machine.
    connection.execute("SET TimeZone = 'UTC'")
    quoted_lake = str(lake).replace("'", "''")
    tables = [t for t in TABLES.values() if names is None or t.full_name in names]
    views = [v for v in VIEWS.values() if names is None or v.full_name in names]
    for schema in dict.fromkeys([t.schema for t in tables] + [v.schema for v in views]):
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    for table in tables:
        place = f"{quoted_lake}/{table.schema}/{table.name}/*.parquet"
        connection.execute(
            f"CREATE VIEW {table.full_name} AS {_rows_of(table, place)}"
            if _has_older(lake, table)
            else f"CREATE VIEW {table.full_name} AS SELECT * FROM read_parquet('{place}')"
        )
        if table.history != "none":
            _create_history(connection, table, quoted_lake, str(history).replace("'", "''"))
    for view in views:
        body = view.sql.replace("{lake}", quoted_lake)
        connection.execute(f"CREATE VIEW {view.full_name} AS {body}")


def named_in(query: str) -> frozenset[str] | None:
    """Return the tables and views that a query rests on, by their full names in its text.

    All views take 160 ms of a core, as each looks for a first file; most queries ask one or two.
    A word too many does no harm. None: nothing in the text shows which they are.
    """
    found: set[str] = set()
    waiting = [query]
    while waiting:
        words = {
            word.removesuffix("_history") for word in _QUALIFIED.findall(waiting.pop().lower())
        }
        named = {word.removesuffix("_history") for word in words}
        new = {name for name in named if name in TABLES or name in VIEWS} - found
        found |= new
        waiting += [VIEWS[name].sql for name in new if name in VIEWS]
    return frozenset(found) or None


def _comment_views(connection: duckdb.DuckDBPyConnection) -> None:
    for table in TABLES.values():
        _comment(connection, table.full_name, table.row)
        for column in table.columns:
            _comment(connection, f"{table.full_name}.{column.name}", column.description, "COLUMN")
        if table.history != "none":
            _comment(connection, f"{table.full_name}_history", history_row(table), "MACRO TABLE")
    for view in VIEWS.values():
        _comment(connection, view.full_name, view.row)
        for name, description in view.columns.items():
            _comment(connection, f"{view.full_name}.{name}", description, "COLUMN")


def _rows_of(table: Table, place: str) -> str:
    """Return the query of a table that has files of an older version: columns by their names.

    As `Warehouse.read`: what was not there then is null, what is not there any more is left out.
    DuckDB reads every file's footer for it when the view is made.
    """
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"SELECT {columns} FROM read_parquet('{place}', union_by_name = true)"


def create_as_of_views(
    connection: duckdb.DuckDBPyConnection,
    lake: Path,
    files: Mapping[str, Sequence[str]],
    at: datetime,
) -> None:
    """Create the views of a moment that has passed; what cannot be said of it has none.

    Parameters
    ----------
    files
        Files of each table that keeps history, as they were at that time.
    at
        The moment.
    """
    connection.execute("SET TimeZone = 'UTC'")
    everything: list[Table | View] = [*TABLES.values(), *VIEWS.values()]
    for schema in dict.fromkeys(item.schema for item in everything):
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    for table in TABLES.values():
        folder = lake / table.schema / table.name
        if table.full_name in files:
            paths = [str(folder / SCHEMA_FILE), *files[table.full_name]]
        elif table.known_at or "date" not in table.partition_by:
            paths = [f"{folder}/*.parquet"]
        else:
            continue
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        known = f" WHERE {table.known_at} <= '{at.isoformat()}'" if table.known_at else ""
        connection.execute(
            f"CREATE VIEW {table.full_name} AS SELECT * FROM"
            f" read_parquet([{listed}], union_by_name = true){known}"
        )
    for view in VIEWS.values():
        # The audit trail's read the lake as it is now, others a table that is not there.
        if "{lake}" not in view.sql:
            with suppress(duckdb.CatalogException):
                connection.execute(f"CREATE VIEW {view.full_name} AS {view.sql}")


def _create_history(
    connection: duckdb.DuckDBPyConnection, table: Table, lake: str, history: str
) -> None:
    # A macro, not a view: a view over files of several schemas reads the footers of all of them
    # when it is created, which is at each connection. A default value is bound when it is called.
    place = f"{table.schema}/{table.name}/*.parquet"
    name = f"{table.full_name}_history"
    connection.execute(
        f"""
        CREATE MACRO {name}(lake := '{lake}', kept := '{history}') AS TABLE
        WITH published AS (
            SELECT file_name, decode(value)::JSON AS record
            FROM parquet_kv_metadata([lake || '/{place}', kept || '/{place}'])
            WHERE decode(key) = 'leak_assets'
        )
        SELECT t.* EXCLUDE (filename),
            coalesce((record->>'revision')::BIGINT, 1) AS partition_revision,
            coalesce(nullif(record->>'published_at', ''), record->>'written_at')::TIMESTAMPTZ
                AS published_at,
            NOT starts_with(filename, kept || '/') AS is_current
        FROM read_parquet(
            [lake || '/{place}', kept || '/{place}'], filename = true, union_by_name = true
        ) AS t
        JOIN published ON file_name = filename
        """
    )


HISTORY_COLUMNS = {
    "partition_revision": "revision of the partition that the row stood in, from 1",
    "published_at": "when that revision was published",
    "is_current": "whether queries of the table itself see the row",
}


def history_row(table: Table) -> str:
    """Return what one row of a table's history is."""
    which = "version" if table.history == "all" else "revision"
    return f"One row of `{table.full_name}` in one {which} of its partition, current or replaced."


def confine(connection: duckdb.DuckDBPyConnection, *folders: Path) -> None:
    """Let a connection reach the files of some folders and no others, for good."""
    allowed = ", ".join("'" + str(folder).replace("'", "''") + "/'" for folder in folders)
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _comment(
    connection: duckdb.DuckDBPyConnection, name: str, text: str, kind: str = "VIEW"
) -> None:
    connection.execute(f"COMMENT ON {kind} {name} IS '{text.replace(chr(39), chr(39) * 2)}'")


def ensure_catalogue(root: Path) -> Path:
    """Write `leak.duckdb` in `root` where it is missing or was made from other schemas."""
    target, made_of = root / CATALOGUE_FILE, root / _MADE_OF
    wanted = _made_of(root / "lake")
    if target.exists() and made_of.exists() and made_of.read_text("utf-8") == wanted:
        return target
    return build_catalogue(root)


def _made_of(lake: Path) -> str:
    """Return a hash of all that the catalogue follows from."""
    older = [t.full_name for t in TABLES.values() if _has_older(lake, t)]
    said = repr((list(TABLES.values()), list(VIEWS.values()), str(lake), older, STORAGE_VERSION))
    return hashlib.sha256(said.encode()).hexdigest()


def _has_older(lake: Path, table: Table) -> bool:
    return (lake / table.schema / table.name / OLDER_FILE).exists()


def build_catalogue(root: Path) -> Path:
    """Write `leak.duckdb` in `root` anew and return its path."""
    target = root / CATALOGUE_FILE
    made_of = _made_of(root / "lake")
    with publishing(target) as draft:
        try:
            with duckdb.connect() as connection:
                quoted = str(draft).replace("'", "''")
                connection.execute(
                    f"ATTACH '{quoted}' AS catalogue (STORAGE_VERSION '{STORAGE_VERSION}')"
                )
                connection.execute("USE catalogue")
                create_views(connection, root / "lake", root / "history")
                _comment_views(connection)
                connection.execute("USE memory")
                connection.execute("DETACH catalogue")
        finally:
            draft.with_name(f"{draft.name}.wal").unlink(missing_ok=True)
    publish(root / _MADE_OF, made_of.encode())
    return target


def readme() -> str:
    """Return `warehouse/README.md`: every table and view with columns, types, units."""
    lines = [
        "# Table catalogue",
        "",
        "Generated from `leak_assets/warehouse/schemas` by `leak-assets warehouse readme`;"
        " a test holds the two together.",
        "",
        "Each table is a folder of Parquet files `lake/<schema>/<table>/<partition>.parquet`,"
        " one file for each partition, and a view in `leak.duckdb`."
        " Times are UTC. SI units inside; the unit stands in the column's name or description.",
        "",
        "```",
        'leak-assets sql "SELECT * FROM incidents.incidents"',
        'duckdb -readonly warehouse/leak.duckdb "SELECT * FROM incidents.incidents"',
        "```",
    ]
    for table in TABLES.values():
        lines += _table_section(table)
    lines += _history_section()
    for view in VIEWS.values():
        lines += _view_section(view)
    return "\n".join(lines) + "\n"


def _table_section(table: Table) -> list[str]:
    return [
        "",
        f"## {table.full_name}",
        "",
        f"{table.row} Partition: {' × '.join(table.partition_by) or 'none'}."
        f" Key: {', '.join(f'`{k}`' for k in table.key)}.",
        "",
        "| column | type | null | meaning |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{c.name}` | {_type_name(c.dtype)} | {'yes' if c.nullable else 'no'}"
            f" | {c.description} |"
            for c in table.columns
        ),
    ]


def _history_section() -> list[str]:
    kept = [table for table in TABLES.values() if table.history != "none"]
    return [
        "",
        "## Histories (functions)",
        "",
        "What was published before stays in `history/<schema>/<table>/` and can be asked for: as"
        " the function `<table>_history()`, or all tables as of a time with"
        " `leak-assets sql --as-of`. Days in progress keep no copy of each micro-batch, but of what"
        " is said differently"
        " (`revisions`).",
        "",
        "| function | kept | columns beside the table's |",
        "| --- | --- | --- |",
        *(
            f"| `{table.full_name}_history()` | {table.history}"
            f" | {', '.join(f'`{name}`' for name in HISTORY_COLUMNS)} |"
            for table in kept
        ),
        "",
        *(f"- `{name}`: {text}" for name, text in HISTORY_COLUMNS.items()),
    ]


def _view_section(view: View) -> list[str]:
    lines = ["", f"## {view.full_name} (view)", "", view.row]
    if view.columns:
        lines += ["", "| column | meaning |", "| --- | --- |"]
        lines += [f"| `{name}` | {text} |" for name, text in view.columns.items()]
    return lines


def _type_name(dtype: pl.DataType | type[pl.DataType]) -> str:
    """Return the type as SQL names it."""
    names = {
        "String": "VARCHAR",
        "Float32": "FLOAT",
        "Float64": "DOUBLE",
        "Int64": "BIGINT",
        "Int8": "TINYINT",
        "Boolean": "BOOLEAN",
        "Date": "DATE",
        "Binary": "BLOB",
    }
    return "TIMESTAMPTZ" if isinstance(dtype, pl.Datetime) else names[str(dtype)]
