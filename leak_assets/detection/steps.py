"""The detection room's steps: windows scored by the models in use, and what all methods hold.

A day's hypotheses follow from what a method has seen of the day and from its state of the day
before. Full copies of states lie days apart; what lies between is replayed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.errors import InputError
from leak_assets.models.artefact import Artefact
from leak_assets.models.config import DETECTOR, PINPOINTER
from leak_assets.models.in_use import champion_inputs, champions
from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.warehouse.schemas.detection import STATES as STATES_TABLE
from leak_assets.warehouse.schemas.detection import WINDOW_CANDIDATES, WINDOW_SCORES

from .detector import Detector, Observed
from .hypothesis import Hypothesis, frames
from .likelihood.method import CHANNELS
from .methods import METHODS, Method
from .windows.scoring import Scorer

TABLES = ("detection.window_scores", "detection.window_candidates")
HYPOTHESES = ("detection.hypotheses", "detection.leak_candidates", "detection.evidence")
STATES = "detection.states"


def score_frames(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
    """Yield the scores of the windows that end in each day.

    Without models that fit the network as it is now the days have no rows, and the progress says
    how to get models: the other method must not wait for them.
    """
    scorer = _scorer(work, champions(work.ctx, work.network))
    for partition in partitions:
        windows = work.read("features.windows", partition)
        if windows is None:
            continue
        if scorer is None:
            scored = (WINDOW_SCORES.empty(), WINDOW_CANDIDATES.empty())
        else:
            scored = scorer.score_windows(windows)
        yield partition, dict(zip(TABLES, scored, strict=True))


def _scorer(work: Work, in_use: Mapping[str, Artefact]) -> Scorer | None:
    site = work.network
    if DETECTOR not in in_use:
        work.progress(
            f"no detector of {site.name} is in use, so no window is scored;"
            f" run `leak-assets train --network {site.name}`"
        )
        return None
    for model in in_use.values():
        # Told, not refused: models learn from scenario runs, which no contract filters.
        if model.manifest["contract_sha256"] != site.contract.sha256:
            work.progress(f"{model.model} {model.version} was trained under another data contract")
    try:
        return Scorer(in_use[DETECTOR], in_use.get(PINPOINTER), provenance=site.provenance)
    except InputError as error:
        work.progress(f"no window is scored: {error}")
        return None


def hypothesis_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield what all methods hold to be going on after each day, and their states.

    Raises
    ------
    InputError
        A state that a method goes on from is of another method, version or network.
    """
    from threadpoolctl import threadpool_limits

    running = [MethodRun(work, one) for one in METHODS.values()]
    for partition in partitions:
        day = day_of(partition)
        found: dict[str, list[pl.DataFrame]] = {table: [] for table in HYPOTHESES}
        states = []
        for one in running:
            # Matrices of a hundred rows: several threads would wait for each other (2.8 times
            # the time on two busy cores).
            with threadpool_limits(1):
                hypotheses = one.take(day)
            rows = frames(work.site.name, one.name, one.detector.version, hypotheses)
            for table, frame in rows.items():
                found[table].append(frame)
            states.append(one.state_row(work.site.name))
        result = {table: pl.concat(parts) for table, parts in found.items()}
        result[STATES] = pl.DataFrame(states, schema=STATES_TABLE.polars_schema, orient="row")
        yield partition, result


class MethodRun:
    """A method on its way through the days of a call.

    Parameters
    ----------
    work
        The step's; where the tables are read.
    method
        The method.
    detector
        Made for the site by the method, by default; a replay hands in one with other settings.
    is_anew
        Begin with nothing known, whatever the table of states has.
    """

    def __init__(
        self,
        work: Work,
        method: Method,
        *,
        detector: Detector[Any] | None = None,
        is_anew: bool = False,
    ) -> None:
        self.work, self.method, self.name = work, method, method.name
        self.detector: Detector[Any] = detector or method.make(work)
        self.is_anew = is_anew
        self._state: Any = None
        self._taken: date | None = None
        self._checkpoint: date | None = None
        self._is_checkpoint = False

    def take(self, day: date) -> Sequence[Hypothesis]:
        """Take a day and return what the method holds then."""
        if self._taken is None:
            self._resume(day)
        before = self._state
        self._state, findings = self.detector.step(before, self._observed(day))
        for message in findings.messages:
            self.work.progress(message)
        self._is_checkpoint = self.detector.is_checkpoint(before, self._state)
        if self._is_checkpoint:
            self._checkpoint = day
        self._taken = day
        return findings.hypotheses

    def state_row(self, network: str) -> tuple[Any, ...]:
        """Return the row of `detection.states` of the day taken last."""
        content = self.detector.to_bytes(self._state) if self._is_checkpoint else None
        return (
            network,
            self.name,
            self.detector.version,
            self.detector.day(self._state),
            self._is_checkpoint,
            self._checkpoint,
            content,
            json.dumps(self.detector.summary(self._state)),
        )

    def _resume(self, day: date) -> None:
        """Go on from the newest full copy before a day, and the days between."""
        self._state = self.detector.start()
        self._checkpoint = None if self.is_anew else _checkpoint(self.work, self.name, day)
        if self._checkpoint is None:
            return
        rows = self.work.read(STATES, self.work.day(self._checkpoint))
        full = None if rows is None else rows.filter(method=self.name)["state"][0]
        if full is None:
            raise ValueError(f"{STATES} of {self._checkpoint} has no state of {self.name}")
        try:
            self._state = self.detector.from_bytes(full)
        except InputError as error:
            # Model, sensors or the list of repairs changed: today must not wait for the past.
            self.work.progress(
                f"{error}. The method begins anew; `leak-assets ingest --network"
                f" {self.work.site.name}` takes the days before again"
            )
            self._checkpoint = None
            return
        for between in _days(self._checkpoint + timedelta(days=1), day):
            self._state, _ = self.detector.step(self._state, self._observed(between))

    def _observed(self, day: date) -> Observed:
        return Observed(
            day,
            {
                table: self.work.read_around(table, day, before)
                for table, before in self.method.tables.items()
            },
        )


def _checkpoint(work: Work, method: str, day: date) -> date | None:
    """Return the day of a method's newest full copy before a day."""
    last = _last_day(work, day)
    return None if last is None else _checkpoints(work, last).get(method)


def _last_day(work: Work, day: date) -> date | None:
    """Return the newest day before a day that has states."""
    before = day - timedelta(days=1)
    if work.warehouse.path(STATES, work.day(before)).exists():
        return before
    known = work.warehouse.partitions(STATES, network=work.site.name)
    days = (date.fromisoformat(partition["date"]) for partition in known)
    return max((found for found in days if found < day), default=None)


def _checkpoints(work: Work, day: date) -> dict[str, date]:
    path = work.warehouse.path(STATES, work.day(day))
    about = path.stat()
    return _read_checkpoints(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=64)
def _read_checkpoints(path: Path, _mtime_ns: int, _size: int) -> dict[str, date]:
    """Return the day of each method's newest full copy, as a file of states says."""
    rows = pl.read_parquet(path.read_bytes(), columns=["method", "checkpoint_date"])
    return dict(rows.drop_nulls().iter_rows())


def _days_gone_on_from(work: Work, day: date) -> list[date]:
    """Return the day before, which says where full copies are, and the days of these."""
    last = _last_day(work, day)
    return [] if last is None else sorted({last, *_checkpoints(work, last).values()})


def _replayed_days(work: Work, day: date, *, method: str, before: int) -> list[date]:
    """Return the days that a method takes again from its newest full copy on, with context."""
    checkpoint = _checkpoint(work, method, day)
    first = day if checkpoint is None else checkpoint + timedelta(days=1)
    return _days(first - timedelta(days=before), day) if first < day else []


def _days(first: date, until: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((until - first).days)]


def _reads() -> tuple[Read, ...]:
    """Return what all methods read: their tables, and the days that they take again."""
    found = [Read(STATES, days=_days_gone_on_from)]
    for one in METHODS.values():
        for table, before in one.tables.items():
            found.append(Read(table, first_day=-before, required=table == CHANNELS))
            found.append(Read(table, days=partial(_replayed_days, method=one.name, before=before)))
        found += [Read(table) for table in one.site_tables]
    return tuple(found)


HYPOTHESES_STEP = Step(
    name="hypotheses",
    partition="day",
    writes=(*HYPOTHESES, STATES),
    reads=_reads(),
    given=(NETWORK, *(given for one in METHODS.values() for given in one.given)),
    compute=hypothesis_frames,
    goes_on=True,
    description="What each method of detection holds to be going on, and what it goes on from.",
)

SCORES_STEP = Step(
    name="window_scores",
    partition="day",
    writes=TABLES,
    reads=(Read("features.windows", required=True),),
    given=(Given("model", champion_inputs, tables=("models.registry_events",)),),
    compute=score_frames,
    # All at once: the models are loaded and verified once.
    days_at_once=400,
    description="Every window scored by the detector, alarmed ones ranked by the pinpointer.",
)
