"""Letters to customers whose meter never rests: facts of one meter, written as any summary."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from leak_assets.settings import Settings

from .client import Summary, summarize
from .facts import clean_text


def letter_facts(row: Mapping[str, Any], timezone: str) -> dict[str, Any]:
    """Return what a letter may speak of.

    Parameters
    ----------
    row
        Of `household.continuous_flow`.
    timezone
        Of the times in the letter.
    """
    since = row["since"].astimezone(ZoneInfo(timezone))
    return {
        "kind": "continuous_flow",
        "time_zone": timezone,
        "meter": clean_text(row["meter"]),
        "day": row["day"].isoformat(),
        "runs_since": since.isoformat(timespec="minutes"),
        "hours": {"value": round(row["hours"]), "unit": "h"},
        "flow": {"value": round(row["leak_l_per_h"], 1), "unit": "L/h"},
        "lost": {"value": round(row["lost_m3"], 1), "unit": "m³"},
        "cost": {"value": round(row["lost_eur"], 2), "unit": "EUR"},
        "in_a_year": {"value": round(row["m3_per_year"]), "unit": "m³"},
        "cost_in_a_year": {"value": round(row["eur_per_year"]), "unit": "EUR"},
    }


def letter(row: Mapping[str, Any], timezone: str, settings: Settings) -> Summary:
    """Return the letter to the customer of a meter, by the language model or the template."""
    return summarize(letter_facts(row, timezone), settings)
