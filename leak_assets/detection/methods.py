"""The methods of detection there are, by name: what each reads, and how it is made for a network.

A new method is declared here; its detector lives in a folder of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leak_assets.errors import InputError
from leak_assets.pipeline.step import Given
from leak_assets.pipeline.work import Work

from .detector import Detector
from .likelihood import method as likelihood
from .likelihood.repairs import REPAIRS_GIVEN, read_repairs
from .likelihood.responses import Responses
from .likelihood.state import METHOD as LIKELIHOOD
from .windows import method as windows
from .windows.policy import WindowsPolicy
from .windows.scoring import METHOD as WINDOWS

SIGNATURES = "simulation.leak_signatures"
LINKS = "network.links"


@dataclass(frozen=True)
class Method:
    """A method as the step of the hypotheses needs it.

    Parameters
    ----------
    name
        Its name in the tables.
    tables
        Tables by day that it looks at, and how many days before the day itself.
    site_tables
        Tables of the whole site that it reads.
    given
        What else it follows from.
    make
        Makes its detector for the site of a piece of work. It must be quick: what takes long is
        loaded when it is needed first.
    """

    name: str
    tables: Mapping[str, int]
    site_tables: Sequence[str]
    given: Sequence[Given]
    make: Callable[[Work], Detector[Any]]


def method(name: str) -> Method:
    """Return the method of a name.

    Raises
    ------
    InputError
        There is none.
    """
    if name not in METHODS:
        raise InputError(
            f"there is no detection method {name!r}", remedy=f"Methods are: {', '.join(METHODS)}"
        )
    return METHODS[name]


def _likelihood(work: Work) -> Detector[Any]:
    site = work.network

    def load() -> Responses | None:
        rows = work.read(SIGNATURES, {"network": site.name})
        if rows is None or rows.is_empty():
            return None
        return Responses.from_table(rows, site.network, site.layout)

    return likelihood.LikelihoodDetector(
        site.name,
        load,
        repairs=read_repairs(work),
        provenance="\n".join(source.version for source in site.inputs()),
        reference_is_named=bool(site.network.reference_first_days),
    )


def _windows(work: Work) -> Detector[Any]:
    site = work.network

    def load_distance() -> Callable[[str, str], float]:
        from leak_assets.sites.distance import PipeDistance

        return PipeDistance(site.network)

    def load_links() -> Any:
        rows = work.read(LINKS, {"network": site.name})
        if rows is None:
            raise InputError(
                f"the pipes of {site.name} are not in the warehouse",
                remedy="Materialize network/links of it first",
            )
        return rows

    return windows.WindowsDetector(site.name, load_links, load_distance)


METHODS: Mapping[str, Method] = {
    one.name: one
    for one in (
        Method(
            LIKELIHOOD,
            {likelihood.CHANNELS: 0, likelihood.REFERENCES: 0},
            (SIGNATURES,),
            (REPAIRS_GIVEN,),
            _likelihood,
        ),
        Method(
            WINDOWS,
            dict.fromkeys(
                (windows.SCORES, windows.CANDIDATES, windows.RESIDUALS),
                WindowsPolicy().context_days,
            ),
            (LINKS,),
            (),
            _windows,
        ),
    )
}
