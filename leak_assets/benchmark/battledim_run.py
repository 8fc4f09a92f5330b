"""An export of two periods through the graph: what an operator would have been told, and when.

The export is delivered into a home of its own and taken to incidents by the steps that operation
takes; the submission is selected from the incidents' events. No method is called here.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from leak_assets.detection.likelihood.repairs import repairs_file
from leak_assets.detection.likelihood.responses import flow_scale
from leak_assets.errors import InputError
from leak_assets.exchange.battledim.export import ScadaExport, open_export
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import prepare_site, process_days, take_waiting
from leak_assets.runs.graph import GRAPH
from leak_assets.settings import Settings
from leak_assets.sites.registry import adopt
from leak_assets.sites.site import NetworkSite
from leak_assets.system.files import publish
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.warehouse import Written

from .submission import SMALLEST_M3_PER_H, Report, submission

HALF_HOUR = timedelta(minutes=30)
# What incidents follow from, where no trained model is asked. The steps of the windows cost three
# times as much as all others together and would only speak beside.
_UNUSED = ("telemetry.quarantine", "telemetry.unusable_readings")
STEPS = ("readings", "calibrations", "channels_30m", "hypotheses", "incidents")


@dataclass(frozen=True)
class ExportRun:
    """What a run over an export gave.

    Parameters
    ----------
    reports
        Lines of the submission, by time.
    first_day, last_day
        Of the evaluated period.
    incidents
        Incidents of both periods, open or closed.
    home
        The home with all tables; gone after the run unless it was named.
    """

    reports: tuple[Report, ...]
    first_day: date
    last_day: date
    incidents: int
    home: Path


def detect(
    site: NetworkSite,
    scada_dir: Path,
    *,
    history: str | None = None,
    evaluated: str | None = None,
    home: Path | None = None,
    progress: Callable[[str], None] = lambda _line: None,
) -> ExportRun:
    """Return the leaks that an export shows in its second period, with the first as history.

    What is reported at a time follows from data before it: the first week teaches the twin, each
    day is seen through its own measurements, and the filter goes forward. Repairs come from the
    report of the history, which lies before all that is reported.

    Parameters
    ----------
    site
        Nominal model; its sensors are those of the export's headers.
    scada_dir
        `<period>_SCADA_*.csv[.gz]` of two periods (Pressures and Flows; Levels and Demands where
        they exist) and `<history>_Fixed_Leakages_Report.txt`.
    history, evaluated
        Labels of the two periods; by default the only two of the folder.
    home
        Where to keep the tables; by default they are removed after the run.
    progress
        Gets a line per stage.

    Raises
    ------
    InputError
        A file is missing or cannot be used, or nothing is left to evaluate.
    """
    export = open_export(site.network, scada_dir, history, evaluated)
    if export.repair_report is None:
        progress(f"no report of repairs in {export.history}: its leaks are taken to run on")
    with _home(home) as folder:
        ctx = StepContext.local(
            Settings(LEAK_ASSETS_HOME=folder, INCIDENT_METHOD="likelihood"),
            command="detect",
            progress=progress,
        )
        return _through_the_graph(ctx, site, export)


def take_export(
    ctx: StepContext, site: NetworkSite, export: ScadaExport, steps: Sequence[str]
) -> tuple[NetworkSite, list[date]]:
    """Deliver an export into a home and take it through steps of the graph.

    Returns
    -------
    tuple
        The network as the home has it now, and the days of the export.

    Raises
    ------
    InputError
        Nothing of the export can be used.
    """
    adopt(site.network, export.layout, ctx.settings)
    if export.repair_report is not None:
        publish(repairs_file(ctx.settings, site.name), export.repair_report.read_bytes())
    own = ctx.network(site.name)
    prepare_site(ctx, own, steps, strict=True)
    deliver(list(export.files.values()), ctx.settings.landing_dir, own.name)
    written, days = take_waiting(ctx, own)
    _tell_unused(ctx, written)
    if not days:
        raise InputError(
            "the export has no usable reading", remedy="See what quarantined rows say", file=""
        )
    made, problems = process_days(ctx, own, sorted(days), [GRAPH.step(name) for name in steps])
    _tell_unused(ctx, made)
    for problem in problems:
        ctx.progress(f"a day is left out: {problem}")
    return own, sorted(days)


def _tell_unused(ctx: StepContext, written: Sequence[Written]) -> None:
    for item in written:
        if item.record.table in _UNUSED and item.record.rows:
            ctx.progress(f"{item.record.rows} values of {item.record.partition} are not used")


def _through_the_graph(ctx: StepContext, site: NetworkSite, export: ScadaExport) -> ExportRun:
    own, _ = take_export(ctx, site, export, STEPS)
    first, last = _evaluated_days(ctx, own, export)
    smallest = SMALLEST_M3_PER_H * flow_scale(own.network)
    events = ctx.warehouse.read_all("incidents.incident_events", network=own.name)
    incident_days = ctx.warehouse.read_all("incidents.incident_days", network=own.name)
    return ExportRun(
        tuple(
            submission(
                events,
                incident_days,
                start=first,
                end=last + timedelta(days=1),
                smallest_m3_per_h=smallest,
            )
        ),
        first,
        last,
        events["incident_id"].n_unique(),
        ctx.settings.home,
    )


def _evaluated_days(ctx: StepContext, site: NetworkSite, export: ScadaExport) -> tuple[date, date]:
    """Return the first and last day of the evaluated period's files, as the ledger has them.

    Raises
    ------
    InputError
        Less than a whole day of it is there.
    """
    names = [path.name for (label, _), path in export.files.items() if label == export.evaluated]
    first, last = ctx.warehouse.sql(
        "SELECT min(first_ts_utc), max(last_ts_utc) FROM telemetry.ingest_ledger"
        " WHERE network = $network AND list_contains($names, parse_filename(file_path))",
        {"network": site.name, "names": names},
    ).row(0)
    if first is None or last - first < timedelta(days=1) - HALF_HOUR:
        raise InputError(
            f"the export has no whole day of {export.evaluated}",
            remedy=f"Deliver {export.evaluated}_SCADA_* files with whole days",
        )
    return first.date(), last.date()


@contextmanager
def _home(named: Path | None) -> Iterator[Path]:
    """Yield a home for a run: the named one, or one that is removed afterwards."""
    if named is not None:
        if named.exists() and (not named.is_dir() or any(named.iterdir())):
            raise InputError(
                "the home of a run must be new or empty", remedy="Give another folder", file=named
            )
        named.mkdir(parents=True, exist_ok=True)
        yield named
        return
    folder = Path(tempfile.mkdtemp(prefix="leak-assets-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
