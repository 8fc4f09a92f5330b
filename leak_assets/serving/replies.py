"""How answers leave: as JSON with a validator that a client may ask again with; how errors look."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl
from fastapi import HTTPException, Request, Response
from pydantic import BaseModel, Field

from leak_assets.errors import InputError
from leak_assets.system.documents import plain

GEOJSON = "application/geo+json"
STORE_FAILURES = (OSError, pl.exceptions.PolarsError, duckdb.Error, InputError)
"""What a warehouse raises that is missing, half-built or damaged."""


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str = Field(description="in words")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No key, or one that is not known."},
    403: {"model": Problem, "description": "The key's role does not allow it."},
    429: {
        "model": Problem,
        "description": "Too many requests.",
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}},
    },
    500: {"model": Problem, "description": "The warehouse cannot be read."},
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is none of that name, or not for this key."}
}


def answers(model: Any, *more: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Return what a route may answer, for its documentation.

    Parameters
    ----------
    model
        Shape of the answer.
    more
        Further answers, as `NOT_FOUND`.
    """
    found: dict[int | str, dict[str, Any]] = {
        200: {
            "model": model,
            "description": "The answer.",
            "headers": {"ETag": {"schema": {"type": "string"}, "description": "of this content"}},
        },
        304: {"description": "As `If-None-Match` says: nothing has changed."},
    }
    for one in more:
        found |= one
    return found


def geojson_answers(
    model: type[BaseModel], *more: dict[int | str, dict[str, Any]]
) -> dict[int | str, dict[str, Any]]:
    """Return what a route of GeoJSON may answer; its errors are plain JSON.

    FastAPI documents one media type for all answers of a route, so the shape stands in place here.
    """
    found = answers(model, *more)
    whole = model.model_json_schema()
    del found[200]["model"]
    found[200]["content"] = {GEOJSON: {"schema": _in_place(whole, whole.pop("$defs", {}))}}
    return found


def _in_place(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema with its definitions where they are used."""
    if isinstance(schema, list):
        return [_in_place(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _in_place(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _in_place(part, definitions) for name, part in schema.items()}


def refused(message: str, *place: str) -> HTTPException:
    """Return the error 422 for what was asked, in the form of those that the server finds itself.

    Parameters
    ----------
    place
        Where it stands: `query` or `body`, and the name.
    """
    return HTTPException(422, [{"type": "value_error", "loc": list(place), "msg": message}])


def reply(
    request: Request, document: Any, *, media_type: str = "application/json", status: int = 200
) -> Response:
    """Return a document as JSON, or 304 where the client has it already.

    The validator is the hash of the content, so the same data give the same one at every instance.
    """
    body = json.dumps(
        plain(document), separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    asked = request.headers.get("if-none-match", "")
    if status == 200 and (asked.strip() == "*" or etag in _validators(asked)):
        return Response(status_code=304, headers=headers)
    return Response(body, status_code=status, media_type=media_type, headers=headers)


def _validators(header: str) -> set[str]:
    return {part.strip().removeprefix("W/") for part in header.split(",")}
