"""Parameters that several routes take, with the bounds beyond which they are refused (422)."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import HTTPException, Path, Query
from pydantic import AfterValidator

from .access import Caller
from .context import Serving
from .known_sites import KnownSite

MOST_ROWS = 1000


_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _in_utc(time: datetime) -> datetime:
    try:
        found = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        found = _LATEST
    if not _EARLIEST <= found < _LATEST:
        raise ValueError("a time outside of the years 1900 to 2199")
    return found


Utc = Annotated[datetime, AfterValidator(_in_utc)]
"""A time; one without an offset is UTC."""

Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many at most.")]
Since = Annotated[Utc | None, Query(description="At or after (ISO 8601, UTC).")]
Until = Annotated[Utc | None, Query(description="Before (ISO 8601, UTC).")]
Name = Annotated[str | None, Query(max_length=200)]
SiteName = Annotated[str, Path(max_length=100, description="Name from `/sites`.")]


def seen_site(serving: Serving, caller: Caller, name: str, *kinds: str) -> KnownSite:
    """Return a site that exists for the caller.

    Raises
    ------
    HTTPException
        404: there is none of that name and one of these kinds, or not for this caller.
    """
    site = serving.sites.find(name) if caller.may_see(name) else None
    if site is None or (kinds and site.kind not in kinds):
        raise HTTPException(404, f"there is no {' or '.join(kinds) or 'site'} {name!r}")
    return site
