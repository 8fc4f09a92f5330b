"""Commands for data: ingest files, query the warehouse, look after it."""

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import (
    AsJson,
    console,
    print_frame,
    print_json,
    print_rows,
    progress,
)

from .options import AsOf, RegisteredNetwork, moment

warehouse_app = typer.Typer(no_args_is_help=True, help="Build, check and document the warehouse.")


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(ingest)
    app.command()(sql)
    app.add_typer(warehouse_app, name="warehouse")


def ingest(
    network: RegisteredNetwork,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Exports (.csv, .csv.gz, .parquet), a mapping.yaml for them, folders of them or"
            " of a LeakDB scenario. None: what waits already."
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Bring files into the landing zone and through validation, scoring and incidents.

    Days whose tables are missing or made from other inputs than today's are made again, too.
    """
    from leak_assets.runs.daemonless import process_landing_zone
    from leak_assets.telemetry.readers.mapping import site_mapping
    from leak_assets.telemetry.sources.deliver import deliver

    ctx = StepContext.local(command="ingest", progress=progress(as_json=as_json))
    site = ctx.site(network)
    name = site.name
    delivered = deliver(paths or (), ctx.settings.landing_dir, name, site.layout)
    site_mapping(ctx.settings.landing_dir / name, site.layout)
    summary = process_landing_zone(ctx, site)
    files, streams = _told(ctx, name, delivered)
    if as_json:
        print_json({"network": name, "files": files, "streams": streams, **asdict(summary)})
    else:
        if files or not streams:
            print_rows(files, as_json=False, title="Files")
        if streams:
            print_rows(streams, as_json=False, title="Streams")
        counts = {
            "in quarantine": summary.quarantined,
            "of impossible values or unknown sensors": summary.unusable,
        }
        if unused := [f"{count} rows {what}" for what, count in counts.items() if count]:
            console().print(
                f"{' and '.join(unused)}:"
                ' leak-assets sql "SELECT file_path, file_row, message'
                ' FROM telemetry.not_used ORDER BY 1, 2"',
                highlight=False,
                soft_wrap=True,
            )
        made = {
            "network": f"{summary.windows} windows scored, {summary.incidents} incidents",
            "zones": f"the areas: leak-assets water report --network {name}",
            "plant": f"what was noticed: leak-assets plant anomalies --site {name}",
        }
        console().print(made.get(site.kind, "done"))
        if summary.data_incidents:
            console().print(
                f"{summary.data_incidents} open data incidents (a sensor that is wrong):"
                ' leak-assets sql "SELECT sensor_id, reason, opened_on, evidence'
                " FROM incidents.data_incidents WHERE status = 'open'\"",
                highlight=False,
                soft_wrap=True,
            )
        if summary.held_back:
            console().print(
                f"{summary.held_back} days have rows that came after their correction window of"
                f" {ctx.settings.correction_window_days:g} days; leak-assets backfill --network"
                f" {name} takes them in",
                soft_wrap=True,
            )
        for problem in summary.problems:
            console().print(problem, style="red", soft_wrap=True, markup=False)
        for problem in summary.known_problems:
            console().print(f"known, no news: {problem}", soft_wrap=True, markup=False)
    if summary.problems or any(row["status"] == "rejected" for row in files):
        raise typer.Exit(1)


def _told(
    ctx: StepContext, name: str, delivered: Collection[tuple[Path, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what the ledger says of the files of a run, and of its streams' batches by source."""
    from leak_assets.telemetry.readers.parsed_file import FILE_SOURCE

    ledger = ctx.warehouse.sql(
        "SELECT file_path, status, readings, accepted, quarantined, duplicates,"
        " first_ts_utc, last_ts_utc, file_sha256, run_id FROM telemetry.ingest_ledger"
        " WHERE network = ? AND source = ?"
        " QUALIFY ingested_at = max(ingested_at) OVER (PARTITION BY file_path, file_sha256)"
        " ORDER BY ingested_at DESC, file_path",
        [name, FILE_SOURCE],
    )
    # Those named, and those that lay in the landing folder already.
    wanted = {(f"{name}/{path.name}", sha256) for path, sha256 in delivered}
    run_id = ctx.warehouse.run_id
    files = []
    for row in ledger.to_dicts():
        content, taken_by = (row["file_path"], row.pop("file_sha256")), row.pop("run_id")
        if taken_by == run_id:
            files.append(row)
        elif content in wanted:
            # Delivered once more under its name: it left no trace, every reading was there.
            files.append(row | {"duplicates": row["accepted"]})
    streams = ctx.warehouse.sql(
        "SELECT source, count(*) AS batches, sum(accepted)::BIGINT AS accepted,"
        " sum(quarantined)::BIGINT AS quarantined, sum(duplicates)::BIGINT AS duplicates"
        " FROM telemetry.ingest_ledger WHERE network = ? AND source <> ? AND run_id = ?"
        " GROUP BY source ORDER BY source",
        [name, FILE_SOURCE, run_id],
    ).to_dicts()
    return files, streams


def sql(
    query: Annotated[str, typer.Argument(help="Any query over the tables and views.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the result as .csv or .parquet instead.")
    ] = None,
    as_of: AsOf = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Query the warehouse; works at any time, also while runs write.

    A query reads the tables and nothing else of this machine, and changes nothing. To export a
    result, take `--out FILE.csv`, `--out FILE.parquet` or `--json`.

    With `--as-of` tables with history (readings, detection, incidents) say what had been published
    by then; the raw log, what had been received; tables of a whole site are as they are now.
    """
    from leak_assets.warehouse.query import export
    from leak_assets.warehouse.query import query as run

    frame = run(StepContext.local().warehouse, query, as_of=moment(as_of))
    if out is None:
        print_frame(frame, as_json=as_json)
        return
    export(frame, out)
    if as_json:
        print_json({"file": str(out), "rows": frame.height})
    else:
        console().print(f"wrote {frame.height:,} rows to {out}", soft_wrap=True, markup=False)


@warehouse_app.command("build")
def build(*, as_json: AsJson = False) -> None:
    """Build the catalogue of views `leak.duckdb` anew."""
    from leak_assets.warehouse.catalogue import build_catalogue

    ctx = StepContext.local()
    path = build_catalogue(ctx.warehouse.root)
    if as_json:
        print_json({"catalogue": str(path)})
    else:
        console().print(f"built {path}; try: duckdb -readonly {path}", soft_wrap=True, markup=False)


@warehouse_app.command("check")
def check(*, as_json: AsJson = False) -> None:
    """Check every partition, and that the raw log has what arrived; exit code 1 if one is bad.

    A partition is compared with its schema and its own record, the raw log with the ledger.
    """
    from leak_assets.telemetry.raw_check import lost_days
    from leak_assets.telemetry.raw_steps import RAW
    from leak_assets.warehouse.check import check_lake

    ctx = StepContext.local()
    rows = [vars(row) for row in check_lake(ctx.warehouse)]
    lost = "; ".join(map(str, lost_days(ctx.warehouse, ctx.settings.landing_dir)))
    for row in rows:
        if row["table"] == RAW and lost:
            row["problem"] = lost
    print_rows(rows, as_json=as_json, title="Warehouse")
    if any(row["problem"] for row in rows):
        raise typer.Exit(1)


@warehouse_app.command("readme")
def write_readme(*, as_json: AsJson = False) -> None:
    """Write `warehouse/README.md` from the schemas."""
    from leak_assets.warehouse.catalogue import readme

    path = StepContext.local().warehouse.root / "README.md"
    path.write_text(readme())
    if as_json:
        print_json({"page": str(path)})
        return
    console().print(f"wrote {path}", soft_wrap=True, markup=False)


@warehouse_app.command("clean")
def clean(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what runs make again: derived tables, caches, reports, Dagster's home.

    What nothing can make again stays: delivered files, raw readings, ledger and quarantine,
    registered networks, models and the decisions about them.
    """
    import shutil

    from leak_assets.warehouse.clean import derived_partitions, remove_derived

    ctx = StepContext.local()
    settings = ctx.settings
    folders = [settings.cache_dir, settings.reports_dir, settings.dagster_home]
    folders = [folder for folder in folders if folder.is_dir()]
    if not yes:
        count = derived_partitions(ctx.warehouse)
        names = ", ".join(str(folder) for folder in folders)
        typer.confirm(
            f"Remove {count} partitions of {ctx.warehouse.root}{' and ' * bool(names)}{names}?",
            abort=True,
            err=True,
        )
    removed = remove_derived(ctx.warehouse)
    for folder in folders:
        shutil.rmtree(folder)
    if as_json:
        print_json({"partitions": removed, "folders": [str(folder) for folder in folders]})
    else:
        console().print(
            f"removed {sum(removed.values())} partitions of {len(removed)} tables"
            f" and {len(folders)} folders; leak-assets ingest makes them again",
            soft_wrap=True,
            markup=False,
        )
