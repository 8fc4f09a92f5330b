"""The step of the drift: the windows of the last weeks against those that the model began with.

What counts as drift is `drift`'s matter; that a training follows, the automation's.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.pipeline.code import code_version
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.step import Given, Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Input, Warehouse, Written
from leak_assets.warehouse.schemas.features import WINDOWS as FEATURE_WINDOWS
from leak_assets.warehouse.schemas.models import DRIFT

from .artefact import Artefact
from .config import DETECTOR, DetectorConfig, DriftLimits, load_config
from .dataset import WindowSet, window_set
from .decisions import registry_events
from .drift import NOTHING, Shift, block_spread, is_biased, is_far, is_shifted, shift_of
from .in_use import champion_inputs, champions, model_input
from .registry import champion
from .session import ExportedModel

TABLE = DRIFT.full_name
WINDOWS = "features.windows"
ALL = "all"


def write_drift(ctx: StepContext, site: NetworkSite) -> list[Written]:
    """Bring `models.drift` up to date for every day with windows after the reference days."""
    detector = champions(ctx, site).get(DETECTOR)
    if detector is None:
        return []
    limits = limits_of(detector)
    days = _Days(ctx.warehouse, site.name, detector)
    reference_days = reference_of(ctx.warehouse, site.name, days.known, limits)
    if not reference_days:
        return []
    code = code_version(__name__)
    written = []
    for day in days.known:
        # The first weeks are no drift from themselves.
        if day <= reference_days[-1]:
            continue
        recent_days = [d for d in _days_before(day, limits.days) if d in days.inputs]
        inputs = [days.inputs[d] for d in dict.fromkeys([*reference_days, *recent_days])]
        inputs.append(model_input(detector))
        partition = day_partition(day, site.name)
        kept = ctx.warehouse.up_to_date(TABLE, partition, inputs, code)
        if kept is not None:
            written.append(kept)
            continue
        reference, recent = days.windows(reference_days), days.windows(recent_days)
        frame = drift_frame(detector, recent, reference, limits, day=day)
        written.append(
            ctx.warehouse.write(TABLE, partition, frame, inputs=inputs, code_version=code)
        )
    return written


def reference_of(
    warehouse: Warehouse, network: str, known: Sequence[date], limits: DriftLimits
) -> list[date]:
    """Return the days that the model in use began with.

    Those up to the day on which it went into use, where there are days since; else (a history that
    was brought in later) the first ones.
    """
    row = champion(registry_events(warehouse, network), network, DETECTOR)
    since = row["event_at"].date() if row is not None else date.max
    before = [day for day in known if day <= since]
    if len(before) == len(known) or len(before) < limits.days:
        return list(known[: limits.days])
    return before[-limits.days :]


def drifted_days(warehouse: Warehouse, network: str, version: str) -> list[date]:
    """Return the newest day if it drifts from a detector, else nothing."""
    days = sorted(p["date"] for p in warehouse.partitions(TABLE, network=network))
    if not days:
        return []
    newest = date.fromisoformat(days[-1])
    rows = warehouse.read(TABLE, day_partition(newest, network))
    if rows is None:
        return []
    verdict = rows.filter(kind=ALL, version=version, is_drift=True)
    return [newest] if verdict.height else []


def limits_of(detector: Artefact) -> DriftLimits:
    """Return the limits that a detector was made with; of an older form the packaged ones."""
    found = detector.config.get("drift", {})
    if set(found) == set(DriftLimits.model_fields):
        # This part alone: the rest may be of an older form.
        return DriftLimits.model_validate(found)
    config = load_config(DETECTOR)
    assert isinstance(config, DetectorConfig)  # noqa: S101 - for the type checker
    return config.drift


def drift_frame(
    detector: Artefact,
    recent: WindowSet,
    reference: WindowSet,
    limits: DriftLimits,
    *,
    day: date,
) -> pl.DataFrame:
    """Return rows of `models.drift` of one day.

    Parameters
    ----------
    recent, reference
        Windows of the last weeks, and of those that they are compared with.
    """
    rows: list[dict[str, Any]] = []

    def add(kind: str, subject: str, shift: Shift, *, drifts: bool) -> None:
        rows.append(
            {
                "network": detector.network,
                "date": day,
                "model": detector.model,
                "version": detector.version,
                "kind": kind,
                "subject": subject,
                **vars(shift),
                "is_drift": drifts,
            }
        )

    for s, statistic in enumerate(detector.statistics):
        spread = block_spread(reference.values[:, s])
        for c, channel in enumerate(detector.channels):
            shift = shift_of(recent.values[:, s, c], reference.values[:, s, c], spread)
            add("feature", f"{statistic}/{channel}", shift, drifts=is_shifted(shift, limits))
            if statistic == "mean":
                add("residual_bias", channel, shift, drifts=is_biased(shift, limits))
    verdict = any(row["is_drift"] for row in rows)
    now, then = (_scores(detector, one) for one in (recent, reference))
    score = shift_of(now, then, block_spread(then[:, None]))
    # Told, but no verdict: it makes much of little (docs/models.md has the figures).
    add("score", "anomaly_score", score, drifts=is_far(score, limits))
    add(ALL, "verdict", Shift(len(recent), len(reference), *NOTHING), drifts=verdict)
    return pl.DataFrame(rows, schema=DRIFT.polars_schema)


def _scores(detector: Artefact, windows: WindowSet) -> NDArray[np.floating]:
    """Return the scores of the windows with enough channels."""
    usable = windows.usable.mean(axis=1) >= 0.7
    return ExportedModel(detector).run_chunk(windows.values[usable]).astype(np.float64)


class _Days:
    """Days that have windows, each file read and pivoted once."""

    def __init__(self, warehouse: Warehouse, network: str, detector: Artefact) -> None:
        self._warehouse, self._network, self._detector = warehouse, network, detector
        self._windows: dict[date, WindowSet] = {}
        self.inputs: dict[date, Input] = {}
        for text in sorted(warehouse.days(WINDOWS, network)):
            day = date.fromisoformat(text)
            partition = day_partition(day, network)
            found, record = (
                warehouse.as_input(WINDOWS, partition),
                warehouse.record(WINDOWS, partition),
            )
            # A day on which the network still learned has no windows to compare with.
            if found is not None and record is not None and record.rows:
                self.inputs[day] = found

    @property
    def known(self) -> list[date]:
        """Days in order."""
        return list(self.inputs)

    def windows(self, days: Sequence[date]) -> WindowSet:
        """Return the windows of some days."""
        parts = [self._of(day) for day in days]
        return WindowSet(
            parts[0].channels,
            parts[0].statistics,
            np.concatenate([part.values for part in parts]),
            pl.concat([part.index for part in parts]),
        )

    def _of(self, day: date) -> WindowSet:
        if day not in self._windows:
            partition = day_partition(day, self._network)
            rows = self._warehouse.read(WINDOWS, partition)
            if rows is None:
                rows = FEATURE_WINDOWS.empty()
            self._windows[day] = window_set(
                rows, self._detector.statistics, channels=self._detector.channels
            )
        return self._windows[day]


def _days_before(day: date, count: int) -> list[date]:
    return [day - timedelta(days=back) for back in range(count - 1, -1, -1)]


def _write(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    return write_drift(work.ctx, work.network)


DRIFT_STEP = Step(
    name="drift",
    partition="site",
    writes=(TABLE,),
    reads=(Read(WINDOWS),),
    given=(Given("model", champion_inputs, tables=("models.registry_events",)),),
    run=_write,
    description="How far the last weeks lie from those that the model in use began with.",
)
