"""The catalogue file and the generated README of tables."""

from pathlib import Path

import duckdb

from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.catalogue import (
    OLDER_FILE,
    build_catalogue,
    ensure_catalogue,
    history_row,
    readme,
)
from leak_assets.warehouse.schemas import TABLES, VIEWS

REPOSITORY = Path(__file__).parents[3]


def test_readme_is_what_the_schemas_say() -> None:
    """`warehouse/README.md` was generated from the schemas as they are."""
    text = (REPOSITORY / "warehouse" / "README.md").read_text()
    assert text == readme(), "run `leak-assets warehouse readme` and commit the result"


def test_catalogue_holds_views_and_comments_only(tmp_path: Path) -> None:
    """The DuckDB file has every view with its comment and not a single table."""
    Warehouse(tmp_path).ensure_schemas()
    with duckdb.connect(build_catalogue(tmp_path), read_only=True) as connection:
        tables = connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone()
        views = dict(
            connection.execute(
                "SELECT schema_name || '.' || view_name, comment FROM duckdb_views()"
                " WHERE NOT internal"
            ).fetchall()
        )
        histories = dict(
            connection.execute(
                "SELECT schema_name || '.' || function_name, comment FROM duckdb_functions()"
                " WHERE function_type = 'table_macro' AND NOT internal"
            ).fetchall()
        )
    assert tables == (0,)
    assert views == {
        **{name: table.row for name, table in TABLES.items()},
        **{name: view.row for name, view in VIEWS.items()},
    }
    assert histories == {
        f"{name}_history": history_row(table)
        for name, table in TABLES.items()
        if table.history != "none"
    }


def test_connecting_opens_no_partition(tmp_path: Path) -> None:
    """However long the history: a connection costs the same, and a damaged file stops nobody."""
    warehouse = Warehouse(tmp_path)
    warehouse.ensure_schemas()
    folder = tmp_path / "lake" / "telemetry" / "readings"
    (folder / "date=2019-03-04__network=hanoi.parquet").write_bytes(b"")
    with warehouse.connect() as connection:
        assert connection.execute("SELECT count(*) FROM network.nodes").fetchone() == (0,)
    build_catalogue(tmp_path)


def test_catalogue_is_replaced_while_it_is_open(tmp_path: Path) -> None:
    """A reader that holds the old catalogue does not stand in the way of a new one."""
    Warehouse(tmp_path).ensure_schemas()
    with duckdb.connect(build_catalogue(tmp_path), read_only=True) as reader:
        build_catalogue(tmp_path)
        assert reader.execute("SELECT count(*) FROM network.nodes").fetchone() == (0,)
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_every_column_has_a_description_and_every_key_a_column() -> None:
    """The schemas are complete: they are the only documentation of the tables."""
    for table in TABLES.values():
        names = [c.name for c in table.columns]
        assert len(set(names)) == len(names)
        assert set(table.key) <= set(names)
        assert all(c.description for c in table.columns)


def test_every_query_of_the_cookbook_runs(tmp_path: Path) -> None:
    """The cookbook fits the views, also in an empty warehouse."""
    text = (REPOSITORY / "warehouse" / "sql" / "cookbook.sql").read_text()
    queries = [query for query in text.split(";\n") if query.strip()]
    assert len(queries) >= 7
    with Warehouse(tmp_path).connect() as connection:
        for query in queries:
            assert connection.execute(query).fetchall() == []


def test_a_catalogue_is_made_again_only_where_it_would_be_another(tmp_path: Path) -> None:
    """A run leaves a file as it is that has all views; one that is gone is made."""
    Warehouse(tmp_path).ensure_schemas()
    path = ensure_catalogue(tmp_path)
    made = path.stat().st_mtime_ns
    assert ensure_catalogue(tmp_path).stat().st_mtime_ns == made
    (tmp_path / "lake" / "telemetry" / "gaps" / OLDER_FILE).touch()
    again = ensure_catalogue(tmp_path).stat().st_mtime_ns
    assert again > made
    path.unlink()
    assert ensure_catalogue(tmp_path).exists()
