"""Methods on many generated towns: drawn and prepared once, judged again with every change.

What a town is stands in `town_plan`; here towns are kept by content, methods of `detection` and
baselines run over what is stored of them, and what they say is valued by one scorer.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import leak_assets
from leak_assets.audit.rescore import Variant, rescore
from leak_assets.detection.likelihood.repairs import repairs_file
from leak_assets.detection.likelihood.responses import flow_scale
from leak_assets.detection.methods import METHODS
from leak_assets.errors import InputError
from leak_assets.exchange.battledim.export import open_export
from leak_assets.exchange.battledim.submission import read_submission, write_submission
from leak_assets.exchange.battledim.truth import Truth, read_truth
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import prepare_site
from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite, network_site
from leak_assets.system.files import publish
from leak_assets.system.processes import fan_out

from .baselines.every import BASELINES, in_period
from .baselines.town_data import read_town
from .battledim_run import take_export
from .expected_noise import require_sensors
from .leakdb_scores import LeakdbScores, Period, alarms, labels, leakdb_scores, true_labels
from .losses import delays, losses
from .score import CREW_EUR, PRICE_EUR_PER_M3, score
from .submission import SMALLEST_M3_PER_H, Report, submission
from .towns import write_town
from .trial import LEAKDB, Trial

DEAR_CREW_EUR = 2000.0
CHANNELS = "features.channels_30m"
REFERENCES = "features.channel_references"
_FEATURES = ("readings", "calibrations", "channels_30m")
# Rooms whose code decides what a town's features are: another code makes them anew.
_ROOMS = (
    "benchmark/town_plan.py",
    "benchmark/leakdb_plan.py",
    "hydraulics",
    "features",
    "telemetry",
    "quality",
    "sites",
)
_READY = "READY"


@dataclass(frozen=True)
class Judged:
    """What a method was worth on a town.

    Parameters
    ----------
    method
        Of detection, or a baseline.
    score_pct, score_dear_pct
        Share of the perfect euro score at a crew of 500 and of 2,000 euro; None without leaks.
    per_call
        Hits per call, repeated calls counted.
    median_distance_m
        Of the hits.
    delays, losses
        As of the module `losses`.
    leakdb
        LeakDB's scores, of its kind of town.
    """

    trial: Trial
    method: str
    score_pct: float | None
    score_dear_pct: float | None
    leaks: int
    true_positives: int
    false_positives: int
    repeated: int
    precision: float | None
    per_call: float | None
    recall: float | None
    median_distance_m: float | None
    delays: dict[str, float | None]
    losses: dict[str, float]
    leakdb: LeakdbScores | None


@dataclass(frozen=True)
class Told:
    """What a method says of a town: reports to be dug at, and when something is held to leak."""

    reports: Sequence[Report]
    alarms: Sequence[Period]


def own_methods() -> tuple[str, ...]:
    """Return the methods of detection that need no trained model: a town has none."""
    return tuple(name for name, one in METHODS.items() if set(one.tables) <= {CHANNELS, REFERENCES})


def chosen_methods(names: Sequence[str]) -> tuple[str, ...]:
    """Return the methods of names, `all` being each of `own_methods` and of the baselines.

    Raises
    ------
    InputError
        A name is unknown, or of a method that asks trained models.
    """
    every = (*own_methods(), *BASELINES)
    wanted = [one for name in names for one in (every if name == "all" else (name,))]
    for name in wanted:
        if name in METHODS and name not in every:
            raise InputError(
                f"{name} asks trained models, and generated towns have none",
                remedy="`leak-assets backtest` compares it with the others",
            )
        if name not in every:
            raise InputError(
                f"there is no method {name!r}", remedy=f"Methods are: {', '.join(every)}, all"
            )
    return tuple(dict.fromkeys(wanted))


def judge_all(
    network: str,
    chosen: Sequence[Trial],
    cache: Path,
    *,
    methods: Sequence[str],
    workers: int | None = None,
    progress: Callable[[str], None],
) -> Iterator[Judged]:
    """Yield what each method is worth on each town as the town is done, several at once.

    Parameters
    ----------
    network
        Name or path, as users give it.
    cache
        Folder in which towns are kept with their features.
    methods
        As of `chosen_methods`.

    Raises
    ------
    InputError
        The network's sensors show no leak, whatever the method.
    """
    require_sensors(network_site(network, Settings()))
    one = partial(_judge_town, network, cache, tuple(methods))
    for number, (trial, judged) in enumerate(fan_out(one, chosen, workers=workers), 1):
        progress(f"town {trial.name} is judged ({number} of {len(chosen)})")
        yield from judged


def _judge_town(
    network: str, cache: Path, methods: tuple[str, ...], trial: Trial
) -> tuple[Judged, ...]:
    site = network_site(network, Settings())
    folder = cache / _key(site, trial)
    if not (folder / _READY).is_file():
        _prepare(site, trial, folder)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=folder / "home"), progress=_silent)
    own = ctx.network(site.name)
    truth = read_truth(folder / "truth")
    baselines = [name for name in methods if name in BASELINES]
    told = {name: _detected(ctx, own, name, truth) for name in methods if name in METHODS}
    told |= _by_baselines(ctx, own, baselines, truth)
    return tuple(_judged(trial, name, folder / "truth", truth, told[name]) for name in methods)


def _detected(ctx: StepContext, own: NetworkSite, method: str, truth: Truth) -> Told:
    """Return what a method of detection says, by the incidents that it raises."""
    partitions = ctx.warehouse.partitions(CHANNELS, network=own.name)
    known = sorted(date.fromisoformat(partition["date"]) for partition in partitions)
    days = [known[0] + timedelta(days=n) for n in range((known[-1] - known[0]).days + 1)]
    rescored = rescore(ctx, own, Variant(method=method), days, is_anew=True)
    events = rescored.tracked.incident_events
    reports = submission(
        events,
        rescored.tracked.incident_days,
        start=truth.start_at.date(),
        end=truth.end_at.date() + timedelta(days=1),
        smallest_m3_per_h=SMALLEST_M3_PER_H * flow_scale(own.network),
    )
    return Told(reports, alarms(events))


def _by_baselines(
    ctx: StepContext, own: NetworkSite, names: Sequence[str], truth: Truth
) -> dict[str, Told]:
    """Return what baselines say, from the same readings and list of repairs.

    A baseline closes nothing: what it reported stands as an alarm from then on.
    """
    if not names:
        return {}
    path = repairs_file(ctx.settings, own.name)
    lines = read_submission(path) if path.is_file() else []
    repairs = [(pipe, when) for _, pipe, when in lines]
    town = read_town(ctx, own)
    found = {}
    for name in names:
        every = BASELINES[name].reports(town)
        reports = in_period(every, repairs, own.network, truth.start_at, truth.end_at)
        found[name] = Told(reports, [Period(one.start_at) for one in every])
    return found


def _judged(trial: Trial, method: str, folder: Path, truth: Truth, told: Told) -> Judged:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "submission.txt"
        write_submission(path, [(one.link_id, one.start_at) for one in told.reports])
        result = score(folder, path)
        dear = score(folder, path, crew_eur=DEAR_CREW_EUR)
    calls = result.true_positives + result.false_positives + result.repeated
    away = result.detections["distance_m"].drop_nulls().to_list()
    by_leakdb = None
    if trial.variant == LEAKDB:
        leaking = true_labels(truth)
        by_leakdb = leakdb_scores(leaking, labels(told.alarms, truth.start_at, len(leaking)))
    return Judged(
        trial,
        method,
        result.score_pct,
        dear.score_pct,
        result.leaks,
        result.true_positives,
        result.false_positives,
        result.repeated,
        result.precision,
        result.true_positives / calls if calls else None,
        result.recall,
        sorted(away)[len(away) // 2] if away else None,
        delays(truth, result),
        losses(truth, result, price_eur_per_m3=PRICE_EUR_PER_M3, crew_eur=CREW_EUR),
        by_leakdb,
    )


def _prepare(site: NetworkSite, trial: Trial, folder: Path) -> None:
    """Draw a town and take its readings to features; what is not needed again is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="leak-assets-town-") as place:
        town = write_town(site.network, site.layout, trial.plan, trial.seed, Path(place) / "town")
        settings = Settings(LEAK_ASSETS_HOME=folder / "home")
        settings.home.mkdir(parents=True)
        ctx = StepContext.local(settings, progress=_silent)
        logged = replace(site, network=replace(site.network, cadence_s=trial.plan.step_s))
        own, _ = take_export(ctx, logged, open_export(site.network, town.folder), _FEATURES)
        # Signatures are the network's, not the town's: the first town's serve all.
        shared = folder.parent / "signatures"
        _copy(shared, settings.cache_dir)
        prepare_site(ctx, own, ("hypotheses", "incidents"))
        _copy(settings.cache_dir, shared)
        for path in town.folder.glob("*.inp"):
            publish(folder / path.name, path.read_bytes())
        for path in town.truth.iterdir():
            publish(folder / "truth" / path.name, path.read_bytes())
    shutil.rmtree(settings.landing_dir, ignore_errors=True)
    publish(folder / _READY, b"")


def _copy(source: Path, target: Path) -> None:
    for file in source.glob("signatures-*"):
        if not (target / file.name).exists():
            publish(target / file.name, file.read_bytes())


def _key(site: NetworkSite, trial: Trial) -> str:
    """Return a hash of all that a town and its features follow from."""
    root = Path(leak_assets.__file__).parent
    digest = hashlib.sha256()
    for room in _ROOMS:
        path = root / room
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(file.read_bytes())
    about: dict[str, Any] = {
        "kind": trial.variant,
        "network": site.network.sha256,
        "sensors": site.layout.columns(),
        "seed": trial.seed,
        "plan": asdict(trial.plan),
    }
    digest.update(json.dumps(about, sort_keys=True, default=str).encode())
    return f"{site.name}-{trial.seed}-{digest.hexdigest()[:12]}"


def _silent(_line: str) -> None:
    return None
