"""Reads an EPANET model file with WNTR and turns every refusal into one line for the user.

Here is what concerns the `.inp` text itself; which models there are is the registry's matter.
"""

import re
from pathlib import Path
from typing import Any

from leak_assets.errors import InputError

_REMEDY = "Mend the model file; EPANET or WNTR must be able to open it"
_LINE = re.compile(r"at line (\d+)", re.IGNORECASE)


def check_text(path: Path) -> None:
    """Refuse a model file that is missing, empty or not UTF-8.

    WNTR reads other encodings as latin-1 and EPANET compares bytes, so the same element would
    have two names.

    Raises
    ------
    InputError
        Names the file and the row of the first byte that is not UTF-8.
    """
    if not path.is_file():
        raise InputError(
            "the network model does not exist", remedy="Check the path of the .inp file", file=path
        )
    raw = path.read_bytes()
    if not raw.strip():
        raise InputError(
            "the network model is empty", remedy="Export the model from EPANET again", file=path
        )
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8 text",
            remedy="Convert the file, for example: iconv -f latin1 -t utf-8 old.inp > new.inp",
            file=path,
            row=row,
        ) from error


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
        model = wntr.network.WaterNetworkModel(str(path))
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
    for kind, names in (
        ("Junction", model.junction_name_list),
        ("Reservoir", model.reservoir_name_list),
        ("Tank", model.tank_name_list),
    ):
        # WNTR keeps both lists and the later element when a name is defined twice.
        twice = [name for name in names if model.get_node(name).node_type != kind]
        if twice:
            raise InputError(
                f"node {twice[0]!r} is defined twice, once as {kind.lower()}",
                remedy="Give every node its own name",
                file=path,
            )
    return model


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
