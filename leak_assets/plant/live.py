"""The rules of a plant on readings as they come: what was judged, what was not and why.

Pure: a state and what arrived give the next state and anomalies. Where they are kept is
`live_store`'s matter, where readings come from that of `telemetry.follow`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from leak_assets.telemetry.follow import Arrived, Seen
from leak_assets.warehouse.schemas.plant import READINGS

from .profile import RuleProfile
from .rules import ORDER, PlantState, judge
from .steps import plant_readings

ON_THE_WAY_S = 2.0
"""Seconds that a reading may take from its device to this process: silences wait so much longer,
or a reading that is still held back for its batch would be missed."""
MOST_AHEAD_S = 60.0
"""A reading further ahead of this machine's clock is not judged live: all that its sensor sends
until then would count as late."""
SLOT = "10s"
"""Of what is shown of the last minutes, one reading each."""

AHEAD, LATE, REPEATED = "ahead", "late", "repeated"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class LiveState:
    """How far a plant was judged.

    Parameters
    ----------
    rules
        What the rules remember.
    seen
        Deliveries that were judged.
    newest_at
        Device clock of the newest reading.
    lag_s
        Seconds that the newest reading was old when it came.
    judged
        Readings that were judged.
    not_judged
        Readings that were not, by reason.
    """

    rules: PlantState = field(default_factory=PlantState)
    seen: Seen = field(default_factory=Seen)
    newest_at: datetime | None = None
    lag_s: float = 0.0
    judged: int = 0
    not_judged: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveJudged:
    """What some deliveries gave.

    Parameters
    ----------
    anomalies
        Columns of `plant.anomalies`.
    recent
        The last reading of each series in each `SLOT` among them, in the order of time:
        `parameter, sensor_id, ts_utc, value`.
    state
        To go on from.
    not_judged
        Readings of these deliveries that were not judged, by reason.
    """

    anomalies: pl.DataFrame
    recent: pl.DataFrame
    state: LiveState
    not_judged: Mapping[str, int]


def judge_arrived(
    arrived: Sequence[Arrived], profile: RuleProfile, state: LiveState, site: str
) -> LiveJudged:
    """Judge deliveries in the order of their receipt.

    Not judged: what is in quarantine (by its reason there), a reading that came `late` (after a
    later one of its series), `repeated` (of a time that was judged) or `ahead` of the clock. All
    but the first are in the raw log, and the day's run judges them in their place.

    Parameters
    ----------
    arrived
        At least one.
    site
        Name of the plant.
    """
    reasons: Counter[str] = Counter()
    kept = []
    seen = state.seen
    for one in arrived:
        seen = seen.and_also(one.key, one.received_at)
        reasons.update(one.quarantine.get_column("reason").to_list())
        limit = one.received_at + timedelta(seconds=MOST_AHEAD_S)
        on_time = one.readings.filter(pl.col("ts_utc") <= limit)
        reasons[AHEAD] += one.readings.height - on_time.height
        kept.append(on_time)
    raw = pl.concat(kept)
    readings = plant_readings(raw, site)
    twice = raw.height - readings.height
    last = pl.DataFrame(
        [(parameter, sensor, s.last_us) for (parameter, sensor), s in state.rules.series.items()],
        schema={"parameter": pl.String, "sensor_id": pl.String, "last_us": pl.Int64},
        orient="row",
    )
    known = readings.join(last, on=["parameter", "sensor_id"], how="left", maintain_order="left")
    at_us = pl.col("ts_utc").dt.epoch("us")
    reasons[REPEATED] += twice + known.filter(at_us == pl.col("last_us")).height
    reasons[LATE] += known.filter(at_us < pl.col("last_us")).height
    new = known.filter((at_us > pl.col("last_us")).fill_null(value=True)).drop("last_us")
    judged = judge(new, profile, state.rules)
    recent = (
        new.sort(ORDER)
        .unique(
            ["parameter", "sensor_id", pl.col("ts_utc").dt.truncate(SLOT)],
            keep="last",
            maintain_order=True,
        )
        .select("parameter", "sensor_id", "ts_utc", "value")
    )
    after = replace(
        state,
        rules=judged.state,
        seen=seen,
        judged=state.judged + new.height,
        not_judged=dict(Counter(state.not_judged) + reasons),
    )
    return LiveJudged(
        judged.anomalies.with_columns(site=pl.lit(site)),
        recent,
        _at_newest(after, recent, arrived[-1].received_at),
        +reasons,
    )


def judge_silences(
    profile: RuleProfile, state: LiveState, now: datetime, site: str
) -> tuple[pl.DataFrame, LiveState]:
    """Return the sensors that fell silent by the clock, and the state after that.

    The plant's clock is that of this machine less what its readings lag behind, so that a plant
    whose clock is wrong, or a replay of old readings, is judged by its own.
    """
    if state.newest_at is None:
        return READINGS.empty(), state
    clock = now - timedelta(seconds=state.lag_s + ON_THE_WAY_S)
    nothing = READINGS.empty()
    judged = judge(nothing, profile, state.rules, now=clock)
    anomalies = judged.anomalies.with_columns(site=pl.lit(site))
    return anomalies, replace(state, rules=judged.state)


def _at_newest(state: LiveState, recent: pl.DataFrame, received_at: datetime) -> LiveState:
    at = recent.get_column("ts_utc").max()
    if not isinstance(at, datetime) or (state.newest_at is not None and at <= state.newest_at):
        return state
    lag_s = max((received_at - at).total_seconds(), 0.0)
    return replace(state, newest_at=at, lag_s=lag_s)
