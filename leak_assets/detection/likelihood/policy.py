"""When a change is believed and a leak is reported, in the likelihood method.

Only the numbers belong here; what is done with them is in `history`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LikelihoodPolicy:
    """Rules of a report.

    Parameters
    ----------
    alarm
        Twice the log likelihood ratio at which a change is believed, all pipes and sizes weighed
        together. By chance alone that stays below 10; the rest is for what the noise model does
        not know.
    smallest_m3_per_h
        The smallest leak looked for in a network of L-Town's demand: the twin's slow departures
        look like leaks of up to 1.2.
    chance_to_report, longest_wait_days
        A leak is reported when its place is as certain as this, or after so many days. A crew
        that finds nothing costs 500 euro, a leak of 5 m3/h 96 euro a day: waiting for a better
        place pays for days, not for weeks.
    burst_alarm, burst_share
        The same as `alarm` for what began within hours, which is looked at 48 times a day; and how
        much of the change a leak must explain. Demand that is new to the week explains less than
        0.6 of what it does by leaks, bursts 0.6 to 0.95.
    """

    alarm: float = 30.0
    smallest_m3_per_h: float = 2.5
    chance_to_report: float = 0.5
    longest_wait_days: int = 5
    burst_alarm: float = 60.0
    burst_share: float = 0.6

    def __post_init__(self) -> None:
        for name in ("alarm", "smallest_m3_per_h", "burst_alarm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)} must be positive")
        for name in ("chance_to_report", "burst_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be 0 to 1")
        if self.longest_wait_days < 0:
            raise ValueError(f"longest_wait_days = {self.longest_wait_days} must not be negative")
