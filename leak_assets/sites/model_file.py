"""Reads an EPANET model file with WNTR and turns every refusal into one line for the user.

Here is what concerns the `.inp` text itself; which models there are is the registry's matter.
"""

import math
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leak_assets.errors import InputError

# What Windows editors put before UTF-8 text; EPANET and WNTR take it for part of the first line.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_REMEDY = "Mend the model file; EPANET or WNTR must be able to open it"
_LINE = re.compile(r"at line (\d+)", re.IGNORECASE)
# EPANET knows sections by their first letters.
_TANKS = "[TANK"
_NODES, _LINKS = ("[JUNC", "[RESE", _TANKS), ("[PIPE", "[PUMP", "[VALV")
# Beyond these a number is a slip of unit or of the pen: the widest tunnels have 15 m.
_NARROWEST_M, _WIDEST_M, _LONGEST_M, _LARGEST = 1e-9, 100.0, 1e7, 1e5
_NAMED = 5


def check_text(path: Path) -> None:
    """Refuse a model file that is missing, empty, not UTF-8, or defines an element twice.

    WNTR reads other encodings as latin-1 and EPANET compares bytes, so the same element would
    have two names.

    Raises
    ------
    InputError
        Names the file and the row.
    """
    try:
        is_there = path.is_file()
    except OSError as error:
        raise InputError(
            f"the path of the network model cannot be used: {error.strerror}",
            remedy="Check the path of the .inp file",
            file=path,
        ) from error
    if not is_there:
        raise InputError(
            "the network model does not exist", remedy="Check the path of the .inp file", file=path
        )
    raw = path.read_bytes()
    if not raw.strip():
        raise InputError(
            "the network model is empty", remedy="Export the model from EPANET again", file=path
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8 text",
            remedy="Convert the file, for example: iconv -f latin1 -t utf-8 old.inp > new.inp",
            file=path,
            row=row,
        ) from error
    _check_elements(text, path)


def _check_elements(text: str, path: Path) -> None:
    """Refuse two nodes or two links of one name, and links from a node to itself.

    WNTR keeps the later of two, and leaves out a link that leads nowhere, without a word.
    """
    seen: dict[tuple[str, str], int] = {}
    for section, row, fields in _elements(text):
        kind = "node" if section in _NODES else "link"
        name = fields[0]
        if first := seen.get((kind, name)):
            raise InputError(
                f"{kind} {name!r} is defined twice, first in row {first}",
                remedy=f"Give every {kind} its own name",
                file=path,
                row=row,
            )
        seen[kind, name] = row
        if kind == "link" and len(fields) > 2 and fields[1] == fields[2]:
            raise InputError(
                f"link {name!r} starts and ends at the same node {fields[1]!r}",
                remedy="Correct one of its ends, or remove it",
                file=path,
                row=row,
            )


def _elements(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """Yield section (its first letters), row and fields of each node and link."""
    section = ""
    for row, line in enumerate(text.splitlines(), start=1):
        content = line.partition(";")[0].strip()
        if content.startswith("["):
            section = content[:5].upper()
        elif content and (section in _NODES or section in _LINKS):
            yield section, row, content.split()


def names_in_text(path: Path) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the names of nodes, links and tanks that a model file defines.

    Raises
    ------
    InputError
        As `check_text`.
    """
    check_text(path)
    names: dict[str, set[str]] = {section: set() for section in (*_NODES, *_LINKS)}
    for section, _, fields in _elements(path.read_text("utf-8-sig")):
        names[section].add(fields[0])
    nodes, links = (frozenset[str]().union(*(names[s] for s in some)) for some in (_NODES, _LINKS))
    return nodes, links, frozenset(names[_TANKS])


def model_bytes(path: Path) -> bytes:
    """Return the content of a model file without a byte order mark."""
    return path.read_bytes().removeprefix(BYTE_ORDER_MARK)


def read_model(path: Path) -> Any:
    """Return a fresh `wntr.network.WaterNetworkModel` of a model file.

    Raises
    ------
    InputError
        With file, row (where WNTR tells it), the offending value and a remedy.
    """
    check_text(path)
    import wntr
    from wntr.epanet.exceptions import EpanetException

    try:
        model = _read_with_wntr(wntr, path)
    except (
        EpanetException,
        ArithmeticError,
        AttributeError,
        LookupError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
        AssertionError,
    ) as error:
        raise _refusal(path, error) from error
    if not model.junction_name_list or not (model.reservoir_name_list or model.tank_name_list):
        raise InputError(
            "the network model has no junction or no source"
            f" ({model.num_junctions} junctions, {model.num_reservoirs} reservoirs,"
            f" {model.num_tanks} tanks)",
            remedy="Check that this is an EPANET .inp file with all its sections",
            file=path,
        )
    _check_values(model, path)
    _check_joined(model, path)
    return model


def _read_with_wntr(wntr: Any, path: Path) -> Any:
    with warnings.catch_warnings():
        # A curve that nothing uses, e.g. of a pump that was taken out, changes nothing.
        warnings.filterwarnings("ignore", "Not all curves were used", UserWarning)
        return _model_of(wntr, path)


def _model_of(wntr: Any, path: Path) -> Any:
    if not path.read_bytes().startswith(BYTE_ORDER_MARK):
        return wntr.network.WaterNetworkModel(str(path))
    with tempfile.TemporaryDirectory(prefix="leak-assets-") as folder:
        plain = Path(folder) / path.name
        plain.write_bytes(model_bytes(path))
        return wntr.network.WaterNetworkModel(str(plain))


def _check_values(model: Any, path: Path) -> None:
    """Refuse numbers that no network has, with which EPANET finds no solution."""
    for name, pipe in model.pipes():
        for what, value, smallest, largest in (
            ("length", pipe.length, 0.0, _LONGEST_M),
            ("diameter", pipe.diameter, _NARROWEST_M, _WIDEST_M),
        ):
            if not smallest <= value <= largest:
                raise InputError(
                    f"pipe {name!r} has a {what} of {value:g} m",
                    remedy=f"Correct it: {smallest:g} to {largest:,.0f} m can be simulated",
                    file=path,
                )
    for element, what, value in _numbers(model):
        if not math.isfinite(value) or abs(value) > _LARGEST:
            raise InputError(
                f"{element}: {what} is {value:g} (SI units)",
                remedy="Correct it in the model file",
                file=path,
            )


def _numbers(model: Any) -> Iterator[tuple[str, str, float]]:
    """Yield element, what it is and value of the other numbers that a solution follows from."""
    for name, pipe in model.pipes():
        yield f"pipe {name!r}", "minor loss", pipe.minor_loss
    for name, junction in model.junctions():
        yield f"junction {name!r}", "elevation", junction.elevation
        for part in junction.demand_timeseries_list:
            yield f"junction {name!r}", "demand", part.base_value
    for name, reservoir in model.reservoirs():
        yield f"reservoir {name!r}", "head", reservoir.base_head
    for name, tank in model.tanks():
        yield f"tank {name!r}", "elevation", tank.elevation
        yield f"tank {name!r}", "diameter", tank.diameter
        yield f"tank {name!r}", "initial level", tank.init_level
    for name, pattern in model.patterns():
        for value in pattern.multipliers:
            yield f"pattern {name!r}", "a multiplier", float(value)


def _check_joined(model: Any, path: Path) -> None:
    """Refuse nodes that no link, open or closed, joins to a source."""
    import networkx as nx

    graph: Any = nx.Graph()
    graph.add_nodes_from(model.node_name_list)
    graph.add_edges_from((link.start_node_name, link.end_node_name) for _, link in model.links())
    sources = {*model.reservoir_name_list, *model.tank_name_list}
    parts = nx.connected_components(graph)
    lost = sorted(name for part in parts if not part & sources for name in part)
    if lost:
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        raise InputError(
            f"no pipe joins these to a reservoir or tank: {', '.join(lost[:_NAMED])}{more}",
            remedy="Join them to the network, or remove them",
            file=path,
        )


def _refusal(path: Path, error: BaseException) -> InputError:
    """Build the user's error from the innermost cause that tells a line, or the innermost one."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    error = next((e for e in reversed(chain) if _LINE.search(str(e))), chain[-1])
    text = " ".join(str(error).replace("(%s)", "").split()) or type(error).__name__
    found = _LINE.search(text)
    if found:
        text = (text[: found.start()] + text[found.end() :]).replace(" ,", ",").strip(" ,:")
        text = re.sub(r",\s*:\s*", ": ", text)
    return InputError(
        f"the network model cannot be read: {text}",
        remedy=_REMEDY,
        file=path,
        row=int(found.group(1)) if found else None,
    )
