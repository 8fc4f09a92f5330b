"""YAML files that people write, read strictly: unknown, missing and wrong keys are named by line.

What the keys mean stands in the pydantic models of the rooms; nothing is decided here.
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from leak_assets.errors import InputError

_SHOWN = 40
ModelT = TypeVar("ModelT", bound=BaseModel)


def read_mapping(
    path: Path, what: str, *, remedy: str, as_text: bool = False
) -> tuple[dict[str, Any], str]:
    """Return the mapping that a YAML file holds, and its text.

    Not by YAML's own construction alone: that takes the last of doubled keys, and unfolds a line of
    aliases to gigabytes.

    Parameters
    ----------
    what
        What the file is, for messages.
    remedy
        What helps where it holds no mapping.
    as_text
        Leave values as they are written: a name such as `1e3` is no number.

    Raises
    ------
    InputError
        It cannot be read, is no YAML, or no mapping, or has a doubled key or an alias; file and
        line are named.
    """
    try:
        text = path.read_text("utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = None if root is None else _Content(path, what, as_text).of(root)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the {what} cannot be read ({error.__class__.__name__})",
            remedy=f"Name a readable {what} file",
            file=path,
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"the {what} is no valid YAML",
            remedy="Mend the syntax at this place; write text with special signs in quotes",
            file=path,
            row=None if mark is None else mark.line + 1,
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"the {what} is no mapping of keys to values", remedy=remedy, file=path)
    return content, text


class _Content:
    """Makes values of the nodes of one file.

    Parameters
    ----------
    path, what, as_text
        As of `read_mapping`.
    """

    def __init__(self, path: Path, what: str, as_text: bool) -> None:
        self._path, self._what, self._as_text = path, what, as_text
        self._seen: set[int] = set()
        self._scalars = yaml.SafeLoader("")

    def of(self, node: yaml.Node) -> Any:
        """Return the value of a node."""
        if id(node) in self._seen:
            raise self._wrong(node, "has an alias (`*name`)", "Write the values out")
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            found: dict[Any, Any] = {}
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode) or not key.value:
                    raise self._wrong(key, "has a key that is no text", "Write the key as text")
                name = key.value if self._as_text else self._scalar(key)
                if name in found:
                    raise self._wrong(key, f"has the key `{name}` twice", "Keep one of them")
                found[name] = self.of(value)
            return found
        if isinstance(node, yaml.SequenceNode):
            return [self.of(item) for item in node.value]
        if self._as_text:
            return None if node.tag == "tag:yaml.org,2002:null" else node.value
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self._scalars.construct_object(node)
        except ValueError as error:
            raise self._wrong(
                node, f"has a value that cannot be read ({error})", "Correct it"
            ) from error

    def _wrong(self, node: yaml.Node, told: str, remedy: str) -> InputError:
        row = node.start_mark.line + 1
        return InputError(f"the {self._what} {told}", remedy=remedy, file=self._path, row=row)


def validated(
    model: type[ModelT], content: dict[str, Any], *, file: object, text: str = "", remedy: str
) -> ModelT:
    """Return a mapping as a model.

    Parameters
    ----------
    text
        The file's text, for the line of the key; empty where there is none.
    remedy
        What helps where a value is wrong.

    Raises
    ------
    InputError
        An unknown, missing or wrong key; it is named with its line.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        found = error.errors()
        # A misspelled key is unknown, and the right one missing: the former is what to mend.
        first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
        place = first["loc"]
        key = ".".join(str(part) for part in place)
        if first["type"] == "extra_forbidden":
            beside = _fields_beside(model, place)
            problem, help_ = f"key `{key}` is unknown", f"Remove it; the keys are {beside}"
        elif first["type"] == "missing":
            problem, help_ = f"key `{key}` is missing", "Add it"
        else:
            said = first["msg"].removeprefix("Value error, ")
            given = first["input"]
            # Checks of ours name what they want to; passwords are repeated by nobody.
            is_told = first["type"] == "value_error" or "password" in key
            if not is_told and isinstance(given, str | int | float) and len(str(given)) < _SHOWN:
                said = f"{said}, not {given!r}"
            problem, help_ = (f"key `{key}`: {said}" if key else said), remedy
        row = line_of(place, text) if text else None
        raise InputError(problem, remedy=help_, file=file, row=row) from error


def line_of(place: tuple[int | str, ...], text: str) -> int | None:
    """Return the line of a key, counted from 1: as far down as the file has it."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = None
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                return line
            key, node = found[0]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _fields_beside(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """Return the keys of the model that a place is in, through lists and tuples of models."""
    for part in place[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return ", ".join(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation is of, or holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = (_model_in(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in inside if model is not None), None)
