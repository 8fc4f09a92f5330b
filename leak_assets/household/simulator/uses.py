"""One use of water: when, how much of it hot, and what each fixture of a home draws.

Only single uses; when people take them is in `habits`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np


class Draw(NamedTuple):
    """Water drawn at a constant flow: seconds after the start of the use, seconds, L/min."""

    offset_s: float
    duration_s: float
    flow_l_per_min: float

    @property
    def volume_l(self) -> float:
        """Volume, L."""
        return self.flow_l_per_min * self.duration_s / 60


@dataclass(frozen=True)
class Use:
    """Water drawn for one purpose.

    Parameters
    ----------
    kind
        A fixture (`toilet`, `shower`, …), `irrigation`, or a fault.
    start_at, end_at
        From the first draw to the end of the last, UTC.
    draws
        What it draws, by time; a washing machine fills several times.
    hot_share
        Share of hot water in each draw, 0 to 1.
    """

    kind: str
    start_at: datetime
    end_at: datetime
    draws: tuple[Draw, ...]
    hot_share: float = 0.0

    @classmethod
    def of(cls, kind: str, start_at: datetime, draws: tuple[Draw, ...], hot_share: float) -> "Use":
        """Return a use that ends with its last draw."""
        end_s = max(draw.offset_s + draw.duration_s for draw in draws)
        return cls(kind, start_at, start_at + timedelta(seconds=end_s), draws, hot_share)

    @property
    def volume_l(self) -> float:
        """Volume, L."""
        return sum(draw.volume_l for draw in self.draws)

    def within(self, start_at: datetime, end_at: datetime) -> "Use | None":
        """Return the part within a period, None if nothing is drawn there."""
        first = max(self.start_at, start_at)
        shift_s = (first - self.start_at).total_seconds()
        limit_s = (min(self.end_at, end_at) - self.start_at).total_seconds()
        parts = []
        for draw in self.draws:
            begin = max(draw.offset_s, shift_s)
            end = min(draw.offset_s + draw.duration_s, limit_s)
            if end > begin:
                parts.append(Draw(begin - shift_s, end - begin, draw.flow_l_per_min))
        if not parts:
            return None
        return replace(self, start_at=first, end_at=min(self.end_at, end_at), draws=tuple(parts))


@dataclass(frozen=True)
class Fixture:
    """A fixture of the home.

    Parameters
    ----------
    kind
        Name.
    per_person_day
        Mean number of uses of a person on a day at home.
    hot_share
        Share of hot water.
    shares
        How its uses spread over the morning, the evening, the waking hours and the night.
    draws
        Draws the water of one use.
    """

    kind: str
    per_person_day: float
    hot_share: float
    shares: tuple[float, float, float, float]
    draws: Callable[[np.random.Generator], tuple[Draw, ...]]


def _near(rng: np.random.Generator, mean: float, cv: float) -> float:
    """Draw a value near a mean; never more than 2.5 standard deviations off."""
    return mean * (1 + cv * float(np.clip(rng.standard_normal(), -2.5, 2.5)))


def _toilet(rng: np.random.Generator) -> tuple[Draw, ...]:
    # European cisterns: 6 L and 3 L (EN 14055), filled at 7 L/min.
    volume_l = 3.0 if rng.random() < 0.5 else 6.0
    duration_s = round(60 * volume_l / _near(rng, 7.0, 0.03))
    return (Draw(0.0, duration_s, 60 * volume_l / duration_s),)


def _shower(rng: np.random.Generator) -> tuple[Draw, ...]:
    # REU 2016: 7.8 min at 2.1 US gal/min.
    return (Draw(0.0, round(_near(rng, 468, 0.3)), _near(rng, 7.9, 0.1)),)


def _tap(rng: np.random.Generator) -> tuple[Draw, ...]:
    duration_s = 5 + round(min(float(rng.exponential(25)), 240))
    return (Draw(0.0, duration_s, _near(rng, 3.8, 0.25)),)


def _washing_machine(rng: np.random.Generator) -> tuple[Draw, ...]:
    flow = _near(rng, 10.0, 0.02)
    return tuple(Draw(60.0 * minute, 72, flow) for minute in (0, 40, 55, 68))


def _dishwasher(rng: np.random.Generator) -> tuple[Draw, ...]:
    flow = _near(rng, 4.0, 0.02)
    return tuple(Draw(60.0 * minute, 54, flow) for minute in (0, 30, 75))


# Frequencies after DeOreo, Mayer, Dziegielewski, Kiefer (2016), Residential End Uses of Water,
# Version 2 (REU 2016): 5 flushes, 0.7 showers, 20 tap uses of half a minute, 0.3 loads of laundry
# a person and day. Volumes are those of European appliances (48 L and 11 L a load). Together
# about 120 L a person and day, as BDEW reports for Germany. Machines heat their own water.
FIXTURES = (
    Fixture("toilet", 5.0, 0.0, (0.25, 0.30, 0.35, 0.10), _toilet),
    Fixture("shower", 0.7, 0.55, (0.65, 0.35, 0.0, 0.0), _shower),
    Fixture("tap", 20.0, 0.3, (0.25, 0.40, 0.35, 0.0), _tap),
    Fixture("washing_machine", 0.3, 0.0, (0.0, 0.5, 0.5, 0.0), _washing_machine),
    Fixture("dishwasher", 0.2, 0.0, (0.0, 0.8, 0.2, 0.0), _dishwasher),
)
