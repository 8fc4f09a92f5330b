"""The home's steps: raw readings to measured time, and a day of the engine.

A day learns from the sessions of the days before and goes on from the state of the newest of
them, so replaying it gives the same alarms.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas import household as tables

from .control_rows import controls, inputs_of_day, names_of_day
from .controls import Control
from .engine import Event, HomeState
from .history import run_steps, utc
from .home import Home, home_of
from .learning import Learned, bucket_frame, learned_of, usual, with_weights
from .memory import state_from_json, state_to_json
from .prototypes import Prototype, find_prototypes
from .readings import home_readings, known_before, steps_of
from .session_frames import SESSIONS_SCHEMA, sessions_frame
from .settings import HomeSettings

RAW, READINGS = "telemetry.raw_readings", "household.readings"
SESSIONS, STATUS = "household.sessions", "household.engine_status"


def reading_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the readings of each day."""
    home = home_of(work.site)
    for partition in partitions:
        raw = work.read(RAW, partition)
        if raw is not None:
            day = day_of(partition)
            before = work.read(RAW, work.day(day - timedelta(days=1)))
            known = work.read_days(READINGS, newest_with_readings(work, day))
            yield partition, {READINGS: home_readings(raw, known_before(before, known, home), home)}


def day_frames(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
    """Yield what each day gave and what it was judged by."""
    home = home_of(work.site)
    past: dict[date, pl.DataFrame] = {}
    state: HomeState | None = None
    for partition in partitions:
        readings = work.read(READINGS, partition)
        if readings is None:
            continue
        day = day_of(partition)
        for back in range(_horizon(home.settings), 0, -1):
            earlier = day - timedelta(days=back)
            if earlier not in past:
                found = work.read(SESSIONS, work.day(earlier))
                past[earlier] = sessions_of_rows(found)
        if state is None:
            newest = work.read_days(STATUS, day_gone_on_from(work, day))
            state = HomeState()
            if newest.height:
                state = state_from_json(newest["state_json"][0])
        since = day - timedelta(days=_horizon(home.settings))
        sessions = pl.concat([past[d] for d in sorted(past) if since <= d < day])
        said = controls(work.warehouse, home.name, names_of_day(work.warehouse, home.name, day))
        frames, state, past[day] = day_of_home(home, day, readings, sessions, state, said)
        yield partition, frames


def day_of_home(
    home: Home,
    day: date,
    readings: pl.DataFrame,
    sessions: pl.DataFrame,
    state: HomeState,
    said: Sequence[Control] = (),
) -> tuple[Mapping[str, pl.DataFrame], HomeState, pl.DataFrame]:
    """Return the tables of a day, the state at its end and its sessions.

    Parameters
    ----------
    sessions
        Of the days before, within the horizon.
    state
        At the end of the newest day before.
    said
        What people said of this day.
    """
    settings = home.settings
    recent = with_weights(sessions, day, settings)
    prototypes = find_prototypes(recent, day, settings)
    taught = usual(recent, prototypes, settings)
    buckets = bucket_frame(taught)
    learned = learned_of(taught, buckets, prototypes, day, settings)
    steps = steps_of(readings)
    state, events, ended = run_steps(state, steps, learned, settings, said)
    todays = sessions_frame(ended)
    site = pl.lit(home.name).alias("site")
    hourly = _hourly(steps, settings).with_columns(site)
    frames = {
        SESSIONS: todays.with_columns(site, _HELD_AS_TEXT),
        "household.hourly_stats": hourly,
        "household.daily_summaries": _summary(day, todays, hourly, readings, events).with_columns(
            site
        ),
        "household.baselines": buckets.with_columns(
            site,
            pl.col("hour").fill_null(-1),
            pl.col("day_type", "occupancy_raw", "occupancy_class", "people_bin").fill_null(""),
        ),
        "household.prototypes": prototypes_frame(prototypes).with_columns(site),
        "household.alerts": alerts_frame(events).with_columns(site),
        STATUS: _status(day, state, learned, settings).with_columns(site),
    }
    schemas = {table.full_name: table.polars_schema for table in tables.TABLES}
    fitting = {
        name: frame.select(schemas[name].names()).cast(dict(schemas[name].items()))
        for name, frame in frames.items()
    }
    return fitting, state, todays


def day_gone_on_from(work: Work, day: date) -> list[date]:
    """Return the newest day before a day that has a state, if there is one."""
    return _newest_before(work, STATUS, day)


def newest_with_readings(work: Work, day: date) -> list[date]:
    """Return the newest day before a day that has readings, if there is one."""
    return _newest_before(work, READINGS, day)


def _newest_before(work: Work, table: str, day: date) -> list[date]:
    known = (
        date.fromisoformat(partition["date"])
        for partition in work.warehouse.partitions(table, site=work.site.name)
    )
    newest = max((one for one in known if one < day), default=None)
    return [] if newest is None else [newest]


def horizon_days(work: Work, day: date) -> list[date]:
    """Return the days whose sessions a day learns from."""
    horizon = _horizon(home_of(work.site).settings)
    return [day - timedelta(days=back) for back in range(horizon, 0, -1)]


def prototypes_frame(prototypes: Sequence[Prototype]) -> pl.DataFrame:
    """Return prototypes as rows; two of one name are told apart by a number."""
    schema = {n: t for n, t in tables.PROTOTYPES.polars_schema.items() if n != "site"}
    rows: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for one in prototypes:
        seen[one.prototype_id] = seen.get(one.prototype_id, 0) + 1
        suffix = f"-{seen[one.prototype_id]}" if seen[one.prototype_id] > 1 else ""
        row = {name: getattr(one, name) for name in schema}
        row["prototype_id"] = one.prototype_id + suffix
        rows.append({**row, "longest_s": ",".join(map(str, one.longest_s))})
    return pl.DataFrame(rows, schema=schema)


def alerts_frame(events: Sequence[Event]) -> pl.DataFrame:
    """Return events as rows."""
    schema = {n: t for n, t in tables.ALERTS.polars_schema.items() if n != "site"}
    rows = [
        {
            "ts_utc": utc(event.at_s),
            "event": event.event,
            "kinds": ",".join(event.kinds),
            "reasons": "\n".join(event.attributes["reasons"]),
            "risk_score": event.attributes["risk_score"],
            "elapsed_s": event.attributes["elapsed_s"],
            "flow_now_l_per_min": event.attributes["flow_now_l_per_min"],
            "attributes_json": json.dumps(event.attributes, sort_keys=True),
        }
        for event in events
    ]
    return pl.DataFrame(rows, schema=schema).unique(
        ["ts_utc", "event"], keep="first", maintain_order=True
    )


def _horizon(settings: HomeSettings) -> int:
    # A session of the horizon's last day may have begun the day before.
    return settings.horizon_days + 1


def sessions_of_rows(found: pl.DataFrame | None) -> pl.DataFrame:
    """Return rows of `household.sessions` as learning reads them."""
    if found is None:
        return pl.DataFrame(schema=SESSIONS_SCHEMA)
    held = pl.col("longest_s").str.split(",").cast(pl.List(pl.Float64))
    return found.with_columns(held).select(SESSIONS_SCHEMA.names())


# Lists are text in tables: the lake hashes plain columns.
_HELD_AS_TEXT = pl.col("longest_s").cast(pl.List(pl.String)).list.join(",")


def _hourly(steps: pl.DataFrame, settings: HomeSettings) -> pl.DataFrame:
    seconds = pl.col("end_s") - pl.col("start_s")
    wet = pl.col("flow_l_per_min") >= settings.min_flow_l_per_min
    # A step belongs to the hour in which it began.
    hour = (pl.col("start_s") * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC")).dt.truncate("1h")
    return (
        steps.group_by(hour_utc=hour)
        .agg(
            volume_l=(pl.col("flow_l_per_min") * seconds / 60).sum(),
            min_flow_l_per_min=pl.col("flow_l_per_min").min(),
            max_flow_l_per_min=pl.col("flow_l_per_min").max(),
            wet_s=seconds.filter(wet).sum(),
            measured_s=seconds.sum(),
        )
        .sort("hour_utc")
    )


def _summary(
    day: date,
    sessions: pl.DataFrame,
    hourly: pl.DataFrame,
    readings: pl.DataFrame,
    events: Sequence[Event],
) -> pl.DataFrame:
    def of(frame: pl.DataFrame, column: str, how: str) -> float:
        return float(getattr(frame[column], how)() or 0.0)

    return pl.DataFrame(
        {
            "day": [day],
            "volume_l": [of(hourly, "volume_l", "sum")],
            "sessions": [sessions.height],
            "longest_session_s": [of(sessions, "duration_s", "max")],
            "max_flow_l_per_min": [of(hourly, "max_flow_l_per_min", "max")],
            "least_hourly_min_flow_l_per_min": [of(hourly, "min_flow_l_per_min", "min")],
            "measured_s": [of(hourly, "measured_s", "sum")],
            "alarms": [sum(1 for event in events if event.event == "on")],
            "unusable_readings": [readings.filter(pl.col("seconds") == 0).height],
        }
    )


def _status(day: date, state: HomeState, learned: Learned, settings: HomeSettings) -> pl.DataFrame:
    end_s = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + 86400
    at_s = end_s if state.last_s is None else state.last_s
    return pl.DataFrame(
        {
            "day": [day],
            "status": [state.status(at_s, learned, settings)],
            "is_on": [state.is_on],
            "last_measured_at": [None if state.last_s is None else utc(state.last_s)],
            "days_learned": [learned.days],
            "ready_buckets": [learned.ready_buckets(settings)],
            "prototypes": [learned.sure_prototypes(settings)],
            "holdings_json": [json.dumps(dict(learned.longest_s), sort_keys=True)],
            "state_json": [state_to_json(state)],
        },
        schema_overrides={"last_measured_at": pl.Datetime("us", "UTC")},
    )


def _settings_inputs(work: Work) -> Sequence[Input]:
    return work.site.inputs()


_SITE = Given("site", _settings_inputs)
_SAID = Given("said", lambda _: (), of_day=inputs_of_day)
HOUSEHOLD_READINGS_STEP = Step(
    name="household_readings",
    partition="day",
    writes=(READINGS,),
    reads=(
        Read(RAW, first_day=-1, required=True),
        Read(READINGS, days=newest_with_readings),
    ),
    given=(_SITE,),
    compute=reading_frames,
    # Who is at home is told when it changes: a day begins with what the days before knew.
    goes_on=True,
    kinds=("household",),
    code=("leak_assets.household.readings", "leak_assets.household.meter"),
    description="A home's raw readings as measured time, bad ones with their reason.",
)
HOUSEHOLD_DAY_STEP = Step(
    name="household_day",
    partition="day",
    writes=tuple(table.full_name for table in tables.TABLES if table.full_name != READINGS),
    reads=(
        Read(READINGS, required=True),
        Read(SESSIONS, days=horizon_days),
        Read(STATUS, days=day_gone_on_from),
    ),
    given=(_SITE, _SAID),
    compute=day_frames,
    goes_on=True,
    kinds=("household",),
    code=tuple(
        f"leak_assets.household.{name}"
        for name in (
            "context",
            "controls",
            "decision",
            "engine",
            "history",
            "learning",
            "memory",
            "prototypes",
            "rules",
            "session_frames",
            "sessions",
            "settings",
        )
    ),
    description="Habits learned from the days before, and a day's sessions and alarms by them.",
)
