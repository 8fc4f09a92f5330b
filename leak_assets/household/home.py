"""A registered home: its settings and which sensor says what, from its site's details.

Reads a description; registering is the matter of `sites`.
"""

from dataclasses import dataclass
from typing import Any

from leak_assets.errors import InputError
from leak_assets.sites.site import DescribedSite, Site

from .context import CLASS_OF_WORD
from .settings import HomeSettings

# Words of a list that readings of `occupancy` point into, by place: the classes, then all others.
_CLASSES = ("home", "away", "night", "vacation")
OCCUPANCY_WORDS = (*_CLASSES, *(word for word in CLASS_OF_WORD if word not in _CLASSES))
_KEYS = ("settings", "occupancy_words", "main", "hot")


@dataclass(frozen=True)
class Home:
    """What the engine knows of a home before any water.

    Parameters
    ----------
    name
        The site.
    main, hot, people, occupancy
        Sensors of the main meter, of the hot water's meter, of the number of people at home and
        of who is there (empty: none).
    measured
        `flow` or `volume`, of the main meter.
    occupancy_words
        Words of occupancy by code.
    """

    name: str
    settings: HomeSettings
    main: str
    measured: str
    hot: str
    people: str
    occupancy: str
    occupancy_words: tuple[str, ...]


def home_of(site: Site) -> Home:
    """Return the home of a site.

    Raises
    ------
    InputError
        It is none, has no meter, or its details cannot be used.
    """
    if not isinstance(site, DescribedSite) or site.kind != "household":
        raise InputError(
            f"{site.name} is a {site.kind}, not a household",
            remedy="`leak-assets sites list` names the households",
        )
    details: dict[str, Any] = dict(site.details)
    if unknown := sorted(set(details) - set(_KEYS)):
        raise InputError(
            f"detail {unknown[0]!r} of {site.name} is unknown",
            remedy=f"Choose of {', '.join(_KEYS)}",
        )
    meters = [s for s in site.layout.sensors if s.quantity in ("flow", "volume")]
    main = str(details.get("main", meters[0].sensor_id if meters else ""))
    found = next((s for s in meters if s.sensor_id == main), None)
    if found is None:
        raise InputError(
            f"{site.name} has no main meter {main!r}",
            remedy="Give a sensor of flow or volume, and name it as `main` in the details",
        )
    given = {"zone": site.timezone, "step_s": float(site.contract.cadence_s)}
    settings = HomeSettings.of({**given, **dict(details.get("settings") or {})})
    own = tuple(word for word in settings.words if word not in OCCUPANCY_WORDS)
    return Home(
        site.name,
        settings,
        main,
        found.quantity,
        str(details.get("hot", "hot" if "hot" in site.layout.ids("flow") else "")),
        next(iter(site.layout.ids("people")), ""),
        next(iter(site.layout.ids("occupancy")), ""),
        tuple(details.get("occupancy_words", (*OCCUPANCY_WORDS, *own))),
    )
