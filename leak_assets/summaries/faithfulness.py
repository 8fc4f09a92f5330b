"""Whether a text keeps to the facts: every number in it must occur in them.

Numbers only; whether the words around them are right is not judged here.
"""

import calendar
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Any

RELATIVE_TOLERANCE = 0.05
"""A figure may be rounded, but not so far that it says something else (0.93 is not 1)."""

_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(\s*(?:%|percent))?")
_UNITS_WITH_DIGITS = re.compile(r"\b[mM]\^?3\b|\bH2O\b")
_MONTHS = tuple(calendar.month_name)


def unknown_number(text: str, facts: dict[str, Any]) -> str | None:
    """Return the first number of a text that does not occur in the facts, or None.

    Tolerated are rounding to fewer decimals (by 5 % at most), thousands separators, per cent for
    a share, a missing sign ("fell by 3.2 m"), and the usual ways to write the facts' times.
    Digits inside a name count as a number unless the facts hold the name.

    Parameters
    ----------
    text
        What the language model wrote.
    facts
        From `facts.incident_facts` or `facts.anomaly_facts`.

    Examples
    --------
    >>> unknown_number("A spike of 45.2 °C, then 99.9 °C", {"value": 45.2})
    '99.9'
    """
    rest = unicodedata.normalize("NFKC", text)
    leaves = list(_leaves(facts))
    strings = [unicodedata.normalize("NFKC", leaf) for leaf in leaves if isinstance(leaf, str)]
    numbers = [
        abs(float(leaf))
        for leaf in leaves
        if isinstance(leaf, int | float) and not isinstance(leaf, bool)
    ]
    times = [moment for moment in map(_moment, strings) if moment is not None]
    for name in sorted({s for s in strings if re.search(r"\d", s)}, key=len, reverse=True):
        rest = re.sub(rf"(?<![\w.,]){re.escape(name)}(?!\w|[.,]\d)", " ", rest, flags=re.I)
    for moment in times:
        rest = re.sub(_date_pattern(moment), " ", rest, flags=re.I)
    for moment in times:
        rest = re.sub(_clock_pattern(moment), " ", rest, flags=re.I)
    rest = _UNITS_WITH_DIGITS.sub(" ", rest)
    for match in _NUMBER.finditer(rest):
        if not _occurs(match[1], numbers, is_percent=match[2] is not None):
            return match[1]
    return None


def _leaves(facts: Any) -> Iterator[Any]:
    if isinstance(facts, dict):
        facts = list(facts.values())
    if isinstance(facts, list):
        for item in facts:
            yield from _leaves(item)
    else:
        yield facts


def _occurs(token: str, numbers: list[float], *, is_percent: bool) -> bool:
    digits = token.replace(",", "")
    decimals = len(digits.partition(".")[2])
    scale = 100.0 if is_percent else 1.0
    half_step = 0.5 * 10.0**-decimals
    return any(
        abs(number * scale - float(digits))
        <= min(half_step, RELATIVE_TOLERANCE * number * scale) + 1e-9
        for number in numbers
    )


def _moment(text: str) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\dT", text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _date_pattern(moment: datetime) -> str:
    month = _MONTHS[moment.month]
    name = f"{month[:3]}(?:{month[3:]})?\\.?"
    day = f"0?{moment.day}(?:st|nd|rd|th)?"
    year = f"(?:,?\\s+{moment.year})?"
    return (
        rf"(?<!\d)(?:{moment:%Y-%m-%d}|{day}\s+(?:of\s+)?{name}{year}|{name}\s+{day}{year})(?!\d)"
    )


def _clock_pattern(moment: datetime) -> str:
    seconds = rf"(?::{moment:%S}(?:\.0+)?)?"
    offset = moment.strftime("%z")
    zone = rf"(?:\s*\(?(?:Z|UTC|GMT)?\s*[+-]{offset[1:3]}:?{offset[3:5]}\)?)?" if offset else ""
    half_day = rf"0?{moment.hour % 12 or 12}:{moment:%M}{seconds}\s*{moment:%p}"
    clock = rf"(?:{half_day}|0?{moment.hour}:{moment:%M}{seconds})"
    alone = rf"(?:UTC|GMT)\s*[+-]{offset[1:3]}:?{offset[3:5]}" if offset else r"(?!)"
    return rf"(?:(?<![\d:.]){clock}{zone}|{alone})(?!\d|[:.]\d)"
