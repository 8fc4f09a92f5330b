"""What methods are worth in euro on known leaks: generated towns, or stored days with a truth.

Detection runs once more over the days' features and is valued by `score`; nothing of operation's
tables is written but the rows of `detection.backtests`.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.audit.known_leaks import beside_known_leaks, ratios
from leak_assets.audit.rescore import Rescored, Variant, rescore
from leak_assets.detection.likelihood.responses import flow_scale
from leak_assets.detection.methods import METHODS, method
from leak_assets.errors import InputError
from leak_assets.exchange.battledim.export import open_export
from leak_assets.exchange.battledim.names import LEAK_FLOWS
from leak_assets.exchange.battledim.submission import write_submission
from leak_assets.exchange.battledim.truth import Truth, read_truth
from leak_assets.hydraulics.twin.zones import metered_zones
from leak_assets.models.config import MODELS
from leak_assets.models.decisions import registry_events
from leak_assets.models.registry import champion
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import prepare_site
from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite
from leak_assets.system.files import publish
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.detection import BACKTESTS
from leak_assets.warehouse.schemas.models import REGISTRY_EVENTS

from .battledim_run import take_export
from .score import ScoreResult, score
from .submission import SMALLEST_M3_PER_H, submission
from .town_plan import TownPlan
from .towns import town_folder, write_town

TABLE = BACKTESTS.full_name
NOTHING = "none"
GENERATED, STORED = "generated", "stored"
_FEATURES = ("readings", "calibrations", "channels_30m")
_WINDOWS = ("residuals", "windows", "window_scores")


@dataclass(frozen=True, kw_only=True)
class BacktestPlan:
    """What to value.

    Parameters
    ----------
    years
        `generated` (a town drawn from the seed) or `stored` (the network's own days).
    methods
        Names of methods, `none` among them or not; all and `none` by default.
    truth
        Of stored days: folder with the known leaks in BattLeDIM's form.
    seed, days, history_days
        Of a generated town: what happens in it, valued days, days before them to learn from.
    model, threshold, options
        What differs from operation, of the methods that have it.
    models
        Versions of the detector to value beside each other, each a variant of `windows`.
    """

    years: str = GENERATED
    methods: Sequence[str] = ()
    truth: Path | None = None
    seed: int = 1
    days: int = 30
    history_days: int = 21
    model: str | None = None
    threshold: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    models: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.years not in (GENERATED, STORED):
            raise InputError(
                f"there are no {self.years!r} years", remedy=f"Give {GENERATED} or {STORED}"
            )
        for name in self.methods:
            if name != NOTHING:
                method(name)
        if self.years == STORED and self.truth is None:
            raise InputError(
                "stored days are worth nothing without known leaks",
                remedy="Give --truth DIR with leaks.csv, leak_flows.parquet and meta.json",
            )
        if self.threshold is not None and len(set(self.methods) - {NOTHING}) != 1:
            raise InputError(
                "a threshold is that of one method", remedy="Name it: --method windows"
            )

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The methods to run, `none` left out."""
        if self.models:
            return tuple(Variant(method="windows", model=version) for version in self.models)
        names = [name for name in (self.methods or METHODS) if name != NOTHING]
        return tuple(
            Variant(
                method=name,
                model=self.model if name == "windows" else None,
                threshold=self.threshold,
                options=self.options,
            )
            for name in dict.fromkeys(names)
        )


@dataclass(frozen=True)
class _Years:
    """Days with features, the known leaks of some of them, and where they lie."""

    ctx: StepContext
    site: NetworkSite
    days: Sequence[date]
    truth: Path
    source: str


def run_backtests(ctx: StepContext, site: NetworkSite, plan: BacktestPlan) -> pl.DataFrame:
    """Value methods and write the rows of `detection.backtests`; return them.

    Raises
    ------
    InputError
        Unknown methods, models that are gone, or a truth that cannot be read.
    """
    with _years(ctx, site, plan) as years:
        digest = _sha256(years.truth / LEAK_FLOWS)
        rows = [_row(years, None, _score(years, None), digest)]
        for variant in plan.variants:
            ctx.progress(f"{variant.described()} over {len(years.days)} days")
            rescored = rescore(years.ctx, years.site, variant, years.days, is_anew=True)
            rows.append(_row(years, (variant, rescored), _score(years, rescored), digest))
    wanted = rows if not plan.methods or NOTHING in plan.methods else rows[1:]
    frame = pl.DataFrame(
        [row | {"network": site.name, "backtest_id": ctx.warehouse.run_id} for row in wanted],
        schema=BACKTESTS.polars_schema,
    )
    ctx.warehouse.write(
        TABLE,
        {"backtest": ctx.warehouse.run_id, "network": site.name},
        frame,
        inputs=[*site.inputs(), Input("truth", years.source, "", digest)],
    )
    return frame


@contextmanager
def _years(ctx: StepContext, site: NetworkSite, plan: BacktestPlan) -> Iterator[_Years]:
    if plan.years == STORED and plan.truth is not None:
        truth = read_truth(plan.truth)
        known = [
            date.fromisoformat(partition["date"])
            for partition in ctx.warehouse.partitions("features.channels_30m", network=site.name)
        ]
        days = _without_gaps([day for day in sorted(known) if day <= truth.end_at.date()])
        if not days or days[-1] < truth.start_at.date():
            raise InputError(
                f"{site.name} has no days from {truth.start_at.date()} on",
                remedy=f"The known leaks are of {truth.start_at.date()} to {truth.end_at.date()}",
                file=plan.truth,
            )
        yield _Years(ctx, site, days, plan.truth, STORED)
        return
    with tempfile.TemporaryDirectory(prefix="leak-assets-backtest-") as folder:
        yield _generated(ctx, site, plan, Path(folder))


def _generated(ctx: StepContext, site: NetworkSite, plan: BacktestPlan, folder: Path) -> _Years:
    """Draw a town, and take its readings through the graph to features in a home of its own."""
    town = TownPlan(
        # Not the first days that there can be: windows look back before the day.
        first_day=date(2018, 3, 5),
        history_days=plan.history_days,
        evaluated_days=plan.days,
    )
    written = write_town(
        site.network,
        site.layout,
        town,
        plan.seed,
        town_folder(folder, site.network, plan.seed),
        progress=ctx.progress,
    )
    settings = Settings(
        LEAK_ASSETS_HOME=folder / "home",
        WATER_PRICE_EUR_PER_M3=ctx.settings.water_price_eur_per_m3,
    )
    settings.home.mkdir()
    own = StepContext.local(settings, run_id=ctx.warehouse.run_id, progress=ctx.progress)
    steps = list(_FEATURES)
    if any(variant.method == "windows" for variant in plan.variants):
        _lend_models(ctx, own, site)
        steps += _WINDOWS
    export = open_export(site.network, written.folder)
    here, days = take_export(own, site, export, steps)
    prepare_site(own, here, ("hypotheses", "incidents"))
    return _Years(own, here, _without_gaps(days), written.truth, f"{GENERATED}, seed {plan.seed}")


def _lend_models(ctx: StepContext, own: StepContext, site: NetworkSite) -> None:
    """Copy the models of a network, registered as they are, to another home."""
    events = registry_events(ctx.warehouse, site.name)
    for name in MODELS:
        if champion(events, site.name, name) is None and name == MODELS[0]:
            ctx.progress(f"no detector of {site.name} is in use: windows report nothing")
    for row in events.iter_rows(named=True):
        where = {"event": row["event_id"], "network": site.name}
        frame = pl.DataFrame([row], schema=REGISTRY_EVENTS.polars_schema)
        own.warehouse.write("models.registry_events", where, frame)
        source = ctx.settings.models_dir / row["artefact_path"]
        target = own.settings.models_dir / row["artefact_path"]
        if source.is_dir() and not target.exists():
            for file in source.iterdir():
                publish(target / file.name, file.read_bytes())


def _score(years: _Years, rescored: Rescored | None) -> ScoreResult:
    """Return what the incidents of a replay are worth against the known leaks."""
    truth = read_truth(years.truth)
    lines: list[tuple[str, datetime]] = []
    if rescored is not None:
        reports = submission(
            rescored.tracked.incident_events,
            rescored.tracked.incident_days,
            start=truth.start_at.date(),
            end=truth.end_at.date() + timedelta(days=1),
            smallest_m3_per_h=SMALLEST_M3_PER_H * flow_scale(years.site.network),
        )
        lines = [(one.link_id, one.start_at) for one in reports]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "submission.txt"
        write_submission(path, lines)
        return score(years.truth, path, price_eur_per_m3=years.ctx.settings.water_price_eur_per_m3)


def _row(
    years: _Years,
    ran: tuple[Variant, Rescored] | None,
    result: ScoreResult,
    digest: str,
) -> dict[str, Any]:
    truth = read_truth(years.truth)
    price = years.ctx.settings.water_price_eur_per_m3
    value = result.water_saved_m3 * price
    weeks = ((truth.end_at - truth.start_at).total_seconds() + 300) / (7 * 86400)
    zones = max(1, len(metered_zones(years.site.network.shared_model(), years.site.layout)))
    scores = None if ran is None else ran[1].tables["detection.window_scores"]
    return {
        "method": NOTHING if ran is None else ran[0].method,
        "method_version": "" if ran is None else _version(ran[1]),
        "variant": NOTHING if ran is None else ran[0].described(),
        "model_version": _last(scores),
        "source": years.source,
        "first_day": truth.start_at.date(),
        "last_day": truth.end_at.date(),
        "leaks": result.leaks,
        "true_positives": result.true_positives,
        "false_positives": result.false_positives,
        "false_negatives": result.false_negatives,
        "median_delay_h": result.median_delay_h,
        "value_eur": round(value, 2),
        "crew_eur": round(value - result.score_eur, 2),
        "net_eur": round(result.score_eur, 2),
        "net_share": None if result.score_pct is None else round(result.score_pct / 100, 4),
        "zones": zones,
        "false_alarms_per_zone_week": round(result.false_positives / zones / weeks, 4),
        **(dict.fromkeys(_COMPARED) if ran is None else _compared(years, truth, ran[1])),
        "truth_sha256": digest,
        "created_at": datetime.now(UTC),
    }


def _last(scores: pl.DataFrame | None) -> str | None:
    return None if scores is None or scores.is_empty() else str(scores["method_version"][-1])


_COMPARED = ("compared", "volume_ratio", "flow_ratio", "flow_ratio_low", "flow_ratio_high")


def _compared(years: _Years, truth: Truth, rescored: Rescored) -> dict[str, Any]:
    """Return how far flows and losses of incidents lie from those of the leaks they are about."""
    days = rescored.tracked.incident_days.filter(
        pl.col("day").is_between(truth.start_at.date(), truth.end_at.date())
    )
    return ratios(beside_known_leaks(days, truth, years.site.network))


def _version(rescored: Rescored) -> str:
    rows = rescored.tables["detection.hypotheses"]
    return "" if rows.is_empty() else str(rows["method_version"][0])


def _without_gaps(days: Sequence[date]) -> list[date]:
    """Return all days from the first to the last: a day that never came is one, too."""
    if not days:
        return []
    return [days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1)]


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise InputError(
            "the flows of the known leaks are missing",
            remedy="Give a folder with leaks.csv, leak_flows.parquet and meta.json",
            file=path,
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()
