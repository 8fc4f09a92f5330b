"""Leaks that a report says were repaired: an input of the method, by network.

The report lies beside the networks' settings, in the format of BattLeDIM's list of repairs.
"""

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.exchange.battledim.submission import read_submission
from leak_assets.pipeline.step import Given
from leak_assets.pipeline.work import Work
from leak_assets.settings import Settings
from leak_assets.warehouse import Input


def repairs_file(settings: Settings, network: str) -> Path:
    """Return where the report of a network lies: lines `linkID, repairTime`."""
    return settings.networks_dir / f"{network}.repairs.txt"


def read_repairs(work: Work) -> Sequence[tuple[str, date]]:
    """Return pipe and day of each reported repair; none where there is no report.

    Raises
    ------
    InputError
        A line cannot be read, or names a link that the network does not have.
    """
    site = work.network
    path = repairs_file(work.settings, site.name)
    if not path.is_file():
        return ()
    links = set(site.network.shared_model().link_name_list)
    out = []
    for row, link, when in read_submission(path):
        if link not in links:
            raise InputError(
                f"{site.name} has no link {link!r}",
                remedy="Use link names of the network model",
                file=path,
                row=row,
                column="linkID",
            )
        out.append((link, when.date()))
    return tuple(out)


def _inputs(work: Work) -> Sequence[Input]:
    path = repairs_file(work.settings, work.site.name)
    if not path.is_file():
        return ()
    return (Input("repairs", path.name, "", hashlib.sha256(path.read_bytes()).hexdigest()),)


REPAIRS_GIVEN = Given("repairs", _inputs)
