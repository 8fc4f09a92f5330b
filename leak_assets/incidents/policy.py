"""Who raises incidents, when an incident is told again, and how severe a leak is.

Only choices and numbers belong here; what is done with them is in the modules beside this one.
When a leak is believed, has moved or has ended is the detection method's business.
"""

from collections.abc import Collection
from dataclasses import dataclass

from leak_assets.detection.methods import METHODS
from leak_assets.errors import InputError
from leak_assets.settings import Settings

SEVERITY_MEDIUM_FROM_M3_PER_H = 5.0
"""A service pipe break; BattLeDIM's smaller bursts start here."""
SEVERITY_HIGH_FROM_M3_PER_H = 15.0
"""A mains burst: more than 350 m3 a day."""
SEVERITY_FALLS_BELOW_SHARE = 0.9
"""An incident's severity falls only when the flow is this far below the limit that it had
passed: an estimate that wanders about a limit is no news every day. It rises at once."""

TOP_CANDIDATES = 20
"""Pipes of a revision: more than a crew walks in a day."""
TOP_SENSORS = 10
"""Sensors of a revision: more than anybody reads."""


@dataclass(frozen=True, kw_only=True)
class TrackerPolicy:
    """What is news of an open incident besides another pipe, another severity and its end.

    Parameters
    ----------
    flow_change_share, flow_change_m3_per_h
        A flow that differs from the one told last by more than both. A quarter is what the
        estimate of a steady leak wanders from day to day; 1 m3/h is what the model of a network
        does not know better anyway.
    update_every_days
        An open incident is told at least this often: its loss grows, and who looks at the list
        once a week sees that it is still followed.
    reopen_within_hours
        Symptoms that are back within so long after they stopped, at a place that was named
        before, are the same incident.
    reopen_looks_back_days
        Days before today on which that incident may have closed: a method that looks at whole
        days needs some of them to report what is back.
    """

    flow_change_share: float = 0.25
    flow_change_m3_per_h: float = 1.0
    update_every_days: float = 7.0
    reopen_within_hours: float = 24.0
    reopen_looks_back_days: int = 3

    def __post_init__(self) -> None:
        for name in ("flow_change_share", "flow_change_m3_per_h"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} = {getattr(self, name)} must not be negative")
        if self.update_every_days <= 0:
            raise ValueError(f"update_every_days = {self.update_every_days} must be positive")


def raising_method(settings: Settings, methods: Collection[str] = METHODS) -> str:
    """Return the detection method whose leaks become incidents.

    Exactly one raises, so that one leak is one incident; what the others believe stands beside
    it in `detection.hypotheses`. By default it is `likelihood`, which raised no incident in two
    years of a town without leaks; `windows`, on a town whose season moves its demand, raised 38
    in half a year.

    Parameters
    ----------
    settings
        `INCIDENT_METHOD` of the environment.
    methods
        Methods that are registered.

    Raises
    ------
    InputError
        If it is not registered.
    """
    if settings.incident_method not in methods:
        raise InputError(
            f"INCIDENT_METHOD={settings.incident_method} is no detection method",
            remedy=f"Methods are: {', '.join(sorted(methods))}",
        )
    return settings.incident_method
