"""Options that name sensors of a network instead of those of its layout."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.sites.site import NetworkSite

Pressures = Annotated[
    str | None,
    typer.Option(help="Pressure sensors at these junctions instead, with commas; `none`."),
]
Flows = Annotated[
    str | None, typer.Option(help="Flow meters at these links instead, with commas; `none`.")
]
Levels = Annotated[
    str | None, typer.Option(help="Level sensors at these tanks instead, with commas; `none`.")
]


def with_sensors(site: NetworkSite, named: Mapping[str, str | None]) -> NetworkSite:
    """Return the site with other sensors of the quantities that have a text; others stay.

    Raises
    ------
    InputError
        The network has no such element, or nothing is named.
    """
    from leak_assets.sites import layout_from_headers

    if all(value is None for value in named.values()):
        return site
    ids = {
        quantity: list(site.layout.ids(quantity))
        for quantity in ("pressure", "flow", "level", "demand")
    }
    for quantity, value in named.items():
        if value is not None:
            given = [name.strip() for name in value.split(",") if name.strip()]
            ids[quantity] = [] if given == ["none"] else given
            if not given:
                raise InputError(
                    f"no {quantity} sensor is named", remedy="Write names with commas, or none"
                )
    return replace(site, layout=layout_from_headers(site.network, ids))
