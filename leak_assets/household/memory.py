"""A home's state as text and back: what a restart in the middle of a session needs.

Only the form; what the state means is in `engine`.
"""

import json
from dataclasses import asdict
from typing import Any

from .context import Context
from .engine import Alarm, HomeState
from .meter import Meter
from .rules import Refill, RuleMemory
from .sessions import LEVELS_L_PER_MIN, Running

# A state of other levels cannot be gone on from.
_FORM = 3


def state_to_json(state: HomeState) -> str:
    """Return a state as JSON."""
    return json.dumps({"form": _FORM, "levels": LEVELS_L_PER_MIN, **asdict(state)}, sort_keys=True)


def state_from_json(text: str) -> HomeState:
    """Return a state that was written as JSON; an empty one where its form has changed since."""
    content: dict[str, Any] = json.loads(text)
    form, levels = content.pop("form"), content.pop("levels")
    if form != _FORM or tuple(levels) != LEVELS_L_PER_MIN:
        return HomeState()
    running, alarm, rules = content["running"], content["alarm"], content["rules"]
    return HomeState(
        **{
            **content,
            "meter": Meter(**content["meter"]),
            "running": None if running is None else _running(running),
            "alarm": None
            if alarm is None
            else Alarm(alarm["since_s"], tuple(alarm["kinds"]), tuple(alarm["reasons"])),
            "rules": RuleMemory(
                rules["unrested_s"],
                tuple(Refill(**refill) for refill in rules["refills"]),
                rules["refilling_until_s"],
                None if rules["refill"] is None else Refill(**rules["refill"]),
            ),
        }
    )


def _running(content: dict[str, Any]) -> Running:
    return Running(
        **{
            **content,
            "held_s": tuple(content["held_s"]),
            "longest_s": tuple(content["longest_s"]),
            "context": Context(**content["context"]),
        }
    )
