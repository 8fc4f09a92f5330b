"""YAML files that people write, read strictly: unknown, missing and wrong keys are named by line.

What the keys mean stands in the pydantic models of the rooms; nothing is decided here.
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from leak_assets.errors import InputError

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_mapping(path: Path, what: str, *, remedy: str) -> tuple[dict[str, Any], str]:
    """Return the mapping that a YAML file holds, and its text.

    Parameters
    ----------
    what
        What the file is, for messages.
    remedy
        What helps where it holds no mapping.

    Raises
    ------
    InputError
        It cannot be read, is no YAML, or no mapping; the file is named, and the line of bad syntax.
    """
    try:
        text = path.read_text("utf-8")
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the {what} cannot be read ({error.__class__.__name__})",
            remedy=f"Name a readable {what} file",
            file=path,
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"the {what} is no valid YAML",
            remedy="Mend the syntax at this place",
            file=path,
            row=None if mark is None else mark.line + 1,
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"the {what} is no mapping of keys to values", remedy=remedy, file=path)
    return content, text


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
        first = error.errors()[0]
        place = first["loc"]
        key = ".".join(str(part) for part in place)
        if first["type"] == "extra_forbidden":
            beside = _fields_beside(model, place)
            problem, help_ = f"key `{key}` is unknown", f"Remove it; the keys are {beside}"
        elif first["type"] == "missing":
            problem, help_ = f"key `{key}` is missing", "Add it"
        else:
            said = first["msg"].removeprefix("Value error, ")
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
