"""Detection once more over stored days, as it was or with something changed; nothing is written.

Every read comes from the warehouse, every result stays in memory. What is compared with what is
`replay`'s, what a change would have raised `preview`'s.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import polars as pl

from leak_assets.detection.detector import Detector
from leak_assets.detection.hypothesis import frames
from leak_assets.detection.likelihood.state import METHOD as LIKELIHOOD
from leak_assets.detection.methods import method
from leak_assets.detection.steps import HYPOTHESES_STEP, MethodRun
from leak_assets.detection.windows.policy import WindowsPolicy
from leak_assets.detection.windows.scoring import METHOD as WINDOWS
from leak_assets.detection.windows.scoring import Scorer
from leak_assets.errors import InputError, MissingInputError
from leak_assets.incidents.steps import POLICY, ZONES, zone_of_links
from leak_assets.incidents.tracker import Tracked, track
from leak_assets.models.artefact import Artefact, load_artefact
from leak_assets.models.config import DETECTOR, PINPOINTER
from leak_assets.models.decisions import registry_events
from leak_assets.models.in_use import versions_in_use
from leak_assets.models.registry import current
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse.lake import partition_name
from leak_assets.warehouse.schemas import TABLES

SCORES = "detection.window_scores"
SCORE_TABLES = (SCORES, "detection.window_candidates")
HYPOTHESES = ("detection.hypotheses", "detection.leak_candidates", "detection.evidence")
TELL_EVERY_S = 5.0
_WINDOWS_OF_FEATURES = "features.windows"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """How to detect: a method, and what of it differs from operation.

    Parameters
    ----------
    method
        Name of a registered method.
    model
        Version of the detector model that scores windows; by default that of the stored scores.
    threshold
        Of `windows` the score from which a window alarms, of `likelihood` twice the log
        likelihood ratio at which a change is believed.
    options
        Fields of the method's policy by name.
    """

    method: str
    model: str | None = None
    threshold: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_changed(self) -> bool:
        """Whether anything differs from operation."""
        return self.model is not None or self.threshold is not None or bool(self.options)

    def described(self) -> str:
        """Return it in words, e.g. `windows, threshold 0.9`."""
        parts = [self.method]
        parts += [f"model {self.model}"] if self.model else []
        parts += [f"threshold {self.threshold:g}"] if self.threshold is not None else []
        parts += [f"{name} {value}" for name, value in self.options.items()]
        return ", ".join(parts)


@dataclass(frozen=True)
class Rescored:
    """What detection says of a range of days: rows of the tables by their names.

    `tables` has the method's rows of `detection.*`; `tracked` the incidents that would follow.
    """

    first_day: date
    last_day: date
    tables: Mapping[str, pl.DataFrame] = field(repr=False)
    tracked: Tracked = field(repr=False)


@dataclass(frozen=True)
class ReplayWork(Work):
    """A step's reads, where some partitions are replaced by what was computed anew."""

    replaced: dict[tuple[str, str], pl.DataFrame] = field(default_factory=dict)

    def read(self, table: str, partition: dict[str, str]) -> pl.DataFrame | None:
        """Return a partition, or what stands in for it."""
        found = self.replaced.get((table, partition_name(partition)))
        return self.ctx.warehouse.read(table, partition) if found is None else found


def rescore(
    ctx: StepContext,
    site: NetworkSite,
    variant: Variant,
    days: Sequence[date],
    *,
    is_anew: bool = False,
    previous_days: pl.DataFrame | None = None,
) -> Rescored:
    """Return what a variant says of days, going on from what was known before the first.

    Parameters
    ----------
    days
        In order, without gaps.
    is_anew
        Begin with nothing known, as on the first day of operation.
    previous_days
        Rows of `incidents.incident_days` to go on from; by default none is open.

    Raises
    ------
    InputError
        An unknown method or setting, a model that is gone, or days that have no features.
    """
    from threadpoolctl import threadpool_limits

    work = ReplayWork(ctx, site, HYPOTHESES_STEP)
    found: dict[str, list[pl.DataFrame]] = {}
    of = method(variant.method)
    if SCORES in of.tables:
        if variant.model is not None:
            # Refused here, whether or not there are windows that it would score.
            _registered(work, DETECTOR, variant.model)
        before = 0 if not variant.is_changed else of.tables[SCORES]
        again = [days[0] - timedelta(days=back) for back in range(before, 0, -1)] + list(days)
        for day, tables in _scores(work, variant, again):
            for name, frame in tables.items():
                work.replaced[name, partition_name(work.day(day))] = frame
                if day >= days[0]:
                    found.setdefault(name, []).append(frame)
    elif variant.model is not None:
        raise InputError(
            f"the method {variant.method} asks no trained model",
            remedy=f"Give --model with --method {WINDOWS}, or leave it out",
        )
    detector = _with_policy(of.make(work), variant)
    run = MethodRun(work, of, detector=detector, is_anew=is_anew)
    told_at = time.monotonic()
    for number, day in enumerate(days):
        if time.monotonic() - told_at >= TELL_EVERY_S:
            ctx.progress(f"{number} of {len(days)} days detected again")
            told_at = time.monotonic()
        with threadpool_limits(1):
            hypotheses = run.take(day)
        for name, frame in frames(site.name, of.name, detector.version, hypotheses).items():
            found.setdefault(name, []).append(frame)
    rows = {
        name: pl.concat(found.get(name) or [TABLES[name].empty()])
        for name in (*SCORE_TABLES, *HYPOTHESES)
    }
    tracked = _tracked(ctx, site, variant, rows, days, previous_days)
    return Rescored(days[0], days[-1], rows, tracked)


def _tracked(
    ctx: StepContext,
    site: NetworkSite,
    variant: Variant,
    rows: Mapping[str, pl.DataFrame],
    days: Sequence[date],
    previous_days: pl.DataFrame | None,
) -> Tracked:
    links = ctx.warehouse.require(
        "network.links",
        {"network": site.name},
        remedy="materialize network/links of it first",
    )
    return track(
        network=site.name,
        first_day=days[0],
        last_day=days[-1],
        hypotheses=rows[HYPOTHESES[0]],
        candidates=rows[HYPOTHESES[1]],
        evidence=rows[HYPOTHESES[2]],
        previous_days=TABLES["incidents.incident_days"].empty()
        if previous_days is None
        else previous_days,
        method=variant.method,
        policy=POLICY,
        price_eur_per_m3=ctx.settings.water_price_eur_per_m3,
        contract_sha256=site.contract.sha256,
        run_id=ctx.warehouse.run_id,
        links=links,
        zones=zone_of_links(ctx.warehouse.read(ZONES, {"network": site.name})),
    )


def _scores(
    work: Work, variant: Variant, days: Sequence[date]
) -> list[tuple[date, dict[str, pl.DataFrame]]]:
    """Return the windows of days, scored again by the models of the variant or of the record."""
    scorers: dict[tuple[str, str | None], Scorer] = {}
    made = []
    for day in days:
        windows = work.read(_WINDOWS_OF_FEATURES, work.day(day))
        models = _models(work, variant, day)
        if windows is None or models is None:
            continue
        if models not in scorers:
            scorers[models] = _scorer(work, variant, *models)
        scored = scorers[models].score_windows(windows)
        made.append((day, dict(zip(SCORE_TABLES, scored, strict=True))))
    return made


def _models(work: Work, variant: Variant, day: date) -> tuple[str, str | None] | None:
    """Return the versions of detector and pinpointer for a day; None where none scored it."""
    record = work.warehouse.record(SCORES, work.day(day))
    versions = {}
    if record is not None:
        versions = {i.name: i.version for i in record.inputs if i.kind == "model"}
    if variant.model is not None:
        in_use = versions or versions_in_use(work.warehouse, work.site.name)
        return variant.model, in_use.get(PINPOINTER)
    if DETECTOR not in versions:
        return None
    return versions[DETECTOR], versions.get(PINPOINTER)


def _scorer(work: Work, variant: Variant, detector: str, pinpointer: str | None) -> Scorer:
    found = _artefact(work, DETECTOR, detector)
    if variant.threshold is not None:
        found = replace(found, threshold=variant.threshold)
    return Scorer(found, None if pinpointer is None else _artefact(work, PINPOINTER, pinpointer))


def _artefact(work: Work, model: str, version: str) -> Artefact:
    """Return a registered version of a model, verified against the registry."""
    folder, manifest_sha256 = _registered(work, model, version)
    return load_artefact(folder, manifest_sha256=manifest_sha256)


def _registered(work: Work, model: str, version: str) -> tuple[Path, str]:
    """Return the folder of a registered version of a model, and its manifest's hash.

    Raises
    ------
    MissingInputError
        It was never registered, or its folder is gone.
    """
    known = current(registry_events(work.warehouse, work.site.name), work.site.name, model)
    row = known.filter(version=version)
    there = [
        one["version"]
        for one in known.iter_rows(named=True)
        if (work.settings.models_dir / one["artefact_path"]).is_dir()
    ]
    if version not in there:
        raise MissingInputError(
            f"{model} {version} of {work.site.name} is not at hand any more",
            remedy="Restore its folder from a backup, or choose with --model one of: "
            + (", ".join(there) or "none is left"),
        )
    folder = work.settings.models_dir / row["artefact_path"][0]
    return folder, str(row["manifest_sha256"][0])


def _with_policy(detector: Any, variant: Variant) -> Detector[Any]:
    """Return a detector whose policy has the options of a variant."""
    policy: Any = getattr(detector, "policy", None)
    options: dict[str, Any] = dict(variant.options)
    if variant.threshold is not None and variant.method == LIKELIHOOD:
        options["alarm"] = str(variant.threshold)
    if not options:
        return cast("Detector[Any]", detector)
    names = [] if policy is None else [f.name for f in fields(policy)]
    known = {name: type(getattr(policy, name)) for name in names}
    if unknown := sorted(set(options) - set(known)):
        raise InputError(
            f"the method {variant.method} has no setting {unknown[0]!r}",
            remedy=f"Settings are: {', '.join(known) or 'none'}",
        )
    try:
        values = {name: known[name](value) for name, value in options.items()}
        changed = replace(cast("Any", policy), **values)
    except ValueError as error:
        raise InputError(
            f"the setting cannot be used: {error}", remedy="Give a number within its bounds"
        ) from error
    if isinstance(changed, WindowsPolicy):
        _check_context(changed, variant)
    return cast("Detector[Any]", replace(detector, policy=changed))


def _check_context(policy: WindowsPolicy, variant: Variant) -> None:
    most = method(variant.method).tables[SCORES]
    if policy.context_days > most:
        raise InputError(
            f"these settings look {policy.context_days} days back, the method reads {most}",
            remedy="Choose shorter times",
        )
