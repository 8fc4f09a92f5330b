"""What a home's habits are: buckets with weighted percentiles, prototypes, longest holdings.

Learned once a day from the sessions of the horizon; the decision only looks up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from .context import Context
from .prototypes import Prototype, as_table, explained, find_prototypes
from .sessions import LEVELS_L_PER_MIN
from .settings import HomeSettings

# The ladder from the narrowest bucket to all sessions.
RUNGS: tuple[tuple[str, ...], ...] = (
    ("hour", "day_type", "occupancy_raw", "people_bin"),
    ("hour", "day_type", "occupancy_class", "people_bin"),
    ("hour", "day_type", "occupancy_class"),
    ("hour", "day_type"),
    ("hour",),
    (),
)
_KEYS = ("hour", "day_type", "occupancy_raw", "occupancy_class", "people_bin")
_SHARES = (50, 90, 95, 99)
BUCKETS_SCHEMA = pl.Schema(
    {
        "rung": pl.Int64(),
        "hour": pl.Int64(),
        "day_type": pl.String(),
        "occupancy_raw": pl.String(),
        "occupancy_class": pl.String(),
        "people_bin": pl.String(),
        "sessions": pl.Int64(),
        "weight": pl.Float64(),
        **{f"duration_p{share}_s": pl.Float64() for share in _SHARES},
        **{f"flow_p{share}_l_per_min": pl.Float64() for share in _SHARES},
    }
)
# A class of occupancy has holdings of its own once it was seen on so many days.
DAYS_OF_CLASS = 14
EVERYWHERE = "all"
Key = tuple[int | str, ...]


@dataclass(frozen=True)
class Bucket:
    """Durations (s) and flows (L/min) of a bucket's sessions: p50, p90, p95, p99."""

    rung: int
    key: Key
    count: int
    duration_s: tuple[float, float, float, float]
    flow_l_per_min: tuple[float, float, float, float]

    @property
    def name(self) -> str:
        """How the attribute `bucket_used` calls it, e.g. `hour=6 day_type=weekday`."""
        names = RUNGS[self.rung - 1]
        return " ".join(f"{n}={v}" for n, v in zip(names, self.key[1:], strict=True)) or "global"


@dataclass(frozen=True)
class Learned:
    """What was learned of a home up to a day.

    Parameters
    ----------
    day
        The day that it is for: sessions of earlier days only.
    days
        Days with sessions within the horizon.
    buckets
        By rung and key.
    longest_s
        By class of occupancy (and `all`): for how long each level of flow was ever held, s.
    longest_low_s
        The longest trickle.
    prototypes
        The surest first.
    """

    day: date | None = None
    days: int = 0
    buckets: Mapping[Key, Bucket] = field(default_factory=dict)
    longest_s: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    longest_low_s: float = 0.0
    prototypes: tuple[Prototype, ...] = ()

    def bucket(self, context: Context, settings: HomeSettings) -> Bucket | None:
        """Return the narrowest bucket that is ready; the widest there is where none is."""
        c = context
        keys: tuple[Key, ...] = (
            (1, c.hour, c.day_type, c.occupancy_raw, c.people_bin),
            (2, c.hour, c.day_type, c.occupancy_class, c.people_bin),
            (3, c.hour, c.day_type, c.occupancy_class),
            (4, c.hour, c.day_type),
            (5, c.hour),
            (6,),
        )
        for key in keys:
            found = self.buckets.get(key)
            if found is not None and found.count >= settings.min_count:
                return found
        return self.buckets.get((6,))

    def ready_buckets(self, settings: HomeSettings) -> int:
        """Return how many buckets have enough sessions."""
        return sum(bucket.count >= settings.min_count for bucket in self.buckets.values())

    def sure_prototypes(self, settings: HomeSettings) -> int:
        """Return how many recurring uses are known with high confidence."""
        return sum(p.confidence >= settings.high_confidence for p in self.prototypes)

    def holdings(self, occupancy_class: str) -> tuple[float, ...]:
        """Return the longest holdings of a class, of all sessions where it has none."""
        nothing = tuple(0.0 for _ in LEVELS_L_PER_MIN)
        return self.longest_s.get(occupancy_class, self.longest_s.get(EVERYWHERE, nothing))


def with_weights(sessions: pl.DataFrame, day: date, settings: HomeSettings) -> pl.DataFrame:
    """Return the sessions of the horizon with `weight`: one half at the age of the half-life."""
    ended = pl.col("ended_at").dt.convert_time_zone(settings.zone).dt.date()
    kept = sessions.with_columns(age_days=(pl.lit(day) - ended).dt.total_days()).filter(
        pl.col("age_days").is_between(0, settings.horizon_days)
    )
    if settings.seasonal:
        kept = kept.filter(ended.dt.month().is_between(4, 9) == (4 <= day.month <= 9))
    return kept.with_columns(weight=0.5 ** (pl.col("age_days") / settings.half_life_days))


def bucket_frame(sessions: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the buckets of weighted sessions, of many homes at once.

    A percentile is the smallest value up to which that share of the weight lies (the inverse of
    the weighted distribution function): of ten equal weights p95 is the largest.

    Parameters
    ----------
    sessions
        With `weight`, and the columns of `by`.
    by
        What tells homes apart.
    """
    rows = sessions.select(*by, *_KEYS, "duration_s", "avg_flow_l_per_min", "weight")
    columns = (("duration_s", "duration_p{}_s"), ("avg_flow_l_per_min", "flow_p{}_l_per_min"))
    ordered = [rows.sort(column) for column, _ in columns]
    found = []
    for rung, names in enumerate(RUNGS, 1):
        keys = [*by, *names]
        parts = []
        for frame, (column, name) in zip(ordered, columns, strict=True):
            upto = pl.col("weight").cum_sum() / pl.col("weight").sum()
            quantiles = [
                pl.col(column).filter(upto >= share / 100 - 1e-9).first().alias(name.format(share))
                for share in _SHARES
            ]
            if column == "duration_s":
                quantiles += [
                    pl.len().cast(pl.Int64).alias("sessions"),
                    pl.col("weight").sum().alias("weight"),
                ]
            parts.append(
                frame.group_by(keys, maintain_order=False).agg(quantiles)
                if keys
                else frame.select(quantiles)
            )
        joined = parts[0].join(parts[1], on=keys) if keys else pl.concat(parts, how="horizontal")
        found.append(joined.with_columns(rung=pl.lit(rung, pl.Int64)))
    schema = pl.Schema({**{name: rows.schema[name] for name in by}, **BUCKETS_SCHEMA})
    if rows.is_empty():
        return pl.DataFrame(schema=schema)
    return pl.concat(found, how="diagonal").select(
        [
            pl.col(name).cast(kind)
            if any(name in part.columns for part in found)
            else pl.lit(None, kind).alias(name)
            for name, kind in schema.items()
        ]
    )


def learn(sessions: pl.DataFrame, day: date, settings: HomeSettings) -> Learned:
    """Return what the sessions before a day say of one home.

    Sessions with an alarm or in a pause teach nothing but prototypes: a leak is no habit, and what
    comes back three times at one time is no leak. What a prototype explains is left out of buckets
    and holdings, so that irrigation at six does not excuse a burst at six.
    """
    recent = with_weights(sessions, day, settings)
    prototypes = find_prototypes(recent, day, settings)
    taught = usual(recent, prototypes, settings)
    return learned_of(taught, bucket_frame(taught), prototypes, day, settings)


def usual(
    recent: pl.DataFrame, prototypes: Sequence[Prototype], settings: HomeSettings
) -> pl.DataFrame:
    """Return the sessions that teach buckets and holdings."""
    return recent.filter(
        ~pl.col("unusual") & ~explained(recent, prototypes, settings),
        # Irrigation with a shower beside it is mostly irrigation.
        pl.col("explained_s") <= pl.col("duration_s") / 2,
        pl.col("ended_by") != "running",
    )


def learned_of(
    taught: pl.DataFrame,
    buckets: pl.DataFrame,
    prototypes: Sequence[Prototype],
    day: date,
    settings: HomeSettings,
) -> Learned:
    """Return the values that the decision looks up, from the frames of one home.

    Parameters
    ----------
    taught
        As `usual` gives them.
    """
    ended = taught["ended_at"].dt.convert_time_zone(settings.zone).dt.date()
    longest = {}
    for name in (EVERYWHERE, "home", "away", "night"):
        part = taught if name == EVERYWHERE else taught.filter(occupancy_class=name)
        if part.is_empty():
            continue
        seen = part["ended_at"].dt.convert_time_zone(settings.zone).dt.date().n_unique()
        if name == EVERYWHERE or seen >= DAYS_OF_CLASS:
            table = as_table(part["longest_s"]).copy()
            table[:, 0] = part["duration_s"].to_numpy()
            longest[name] = tuple(table.max(axis=0).tolist())
    return Learned(
        day=day,
        days=ended.n_unique(),
        buckets=buckets_of(buckets),
        longest_s=longest,
        longest_low_s=float(taught["longest_low_s"].max() or 0.0),  # type: ignore[arg-type]
        prototypes=tuple(sorted(prototypes, key=lambda p: -p.confidence)),
    )


def buckets_of(frame: pl.DataFrame) -> dict[Key, Bucket]:
    """Return the buckets of one home by rung and key."""
    found = {}
    for row in frame.iter_rows(named=True):
        key = (row["rung"], *(row[name] for name in RUNGS[row["rung"] - 1]))
        found[key] = Bucket(
            row["rung"],
            key,
            row["sessions"],
            tuple(row[f"duration_p{share}_s"] for share in _SHARES),
            tuple(row[f"flow_p{share}_l_per_min"] for share in _SHARES),
        )
    return found
