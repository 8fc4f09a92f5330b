"""Values as JSON can hold them, whatever they are nested in.

Not `pydantic_core.to_jsonable_python`: that writes decimals as text and UTC as `Z`, and documents
here have numbers and `+00:00`, as Python and DuckDB write it.
"""

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any


def plain(value: Any) -> Any:
    """Return a value in JSON's own types.

    Times are ISO 8601, durations seconds, bytes hexadecimal, decimals numbers; NaN and infinity,
    which JSON does not know, are null.

    Raises
    ------
    TypeError
        A value of a type that has no form in JSON.
    """
    found: Any
    match value:
        case None | bool() | int() | str():
            found = value
        case float():
            found = float(value) if math.isfinite(value) else None
        case Decimal():
            # Sums of whole numbers come as decimals without places.
            found = int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            found = value.isoformat()
        case timedelta():
            found = value.total_seconds()
        case bytes():
            found = value.hex()
        case Mapping():
            found = {str(plain(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            found = [plain(item) for item in value]
        case _ if hasattr(value, "item"):
            # Numbers of numpy.
            found = plain(value.item())
        case _:
            raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return found
