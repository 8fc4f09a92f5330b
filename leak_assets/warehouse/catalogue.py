"""The catalogue: a DuckDB file that holds views and comments only, and the README of tables.

Both are generated from the schemas. The file is rebuilt beside the old one and replaced in one
step, so `duckdb -readonly warehouse/leak.duckdb` works at any time.
"""

from pathlib import Path

import duckdb
import polars as pl

from leak_assets.system.files import publishing

from .schemas import TABLES, VIEWS, Table, View

CATALOGUE_FILE = "leak.duckdb"
# People open the file with the DuckDB that they have, which may be older than ours.
STORAGE_VERSION = "v1.2.0"


def create_views(connection: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """Create one view for each table of the lake, and the views over them, with comments."""
    # Timestamps are UTC; without this DuckDB shows them in the zone of the machine.
    connection.execute("SET TimeZone = 'UTC'")
    quoted_lake = str(lake).replace("'", "''")
    everything: list[Table | View] = [*TABLES.values(), *VIEWS.values()]
    for schema in dict.fromkeys(item.schema for item in everything):
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    for table in TABLES.values():
        connection.execute(
            f"CREATE VIEW {table.full_name} AS SELECT * FROM"
            f" read_parquet('{quoted_lake}/{table.schema}/{table.name}/*.parquet')"
        )
        _comment(connection, table.full_name, table.row)
        for column in table.columns:
            _comment(connection, f"{table.full_name}.{column.name}", column.description, "COLUMN")
    for view in VIEWS.values():
        body = view.sql.replace("{lake}", quoted_lake)
        connection.execute(f"CREATE VIEW {view.full_name} AS {body}")
        _comment(connection, view.full_name, view.row)
        for name, description in view.columns.items():
            _comment(connection, f"{view.full_name}.{name}", description, "COLUMN")


def confine(connection: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """Let a connection reach the files of the lake and no others, for good."""
    quoted_lake = str(lake).replace("'", "''")
    connection.execute(f"SET allowed_directories = ['{quoted_lake}/']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _comment(
    connection: duckdb.DuckDBPyConnection, name: str, text: str, kind: str = "VIEW"
) -> None:
    connection.execute(f"COMMENT ON {kind} {name} IS '{text.replace(chr(39), chr(39) * 2)}'")


def build_catalogue(root: Path) -> Path:
    """Write `leak.duckdb` in `root` anew and return its path."""
    target = root / CATALOGUE_FILE
    with publishing(target) as draft:
        try:
            with duckdb.connect() as connection:
                quoted = str(draft).replace("'", "''")
                connection.execute(
                    f"ATTACH '{quoted}' AS catalogue (STORAGE_VERSION '{STORAGE_VERSION}')"
                )
                connection.execute("USE catalogue")
                create_views(connection, root / "lake")
                connection.execute("USE memory")
                connection.execute("DETACH catalogue")
        finally:
            draft.with_name(f"{draft.name}.wal").unlink(missing_ok=True)
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
