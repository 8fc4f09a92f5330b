"""What every request passes before a route sees it: host, key, rate, size; and what answers carry.

What a caller may do is `access`, which keys there are `keys`, how often `rate`.
"""

import base64
import binascii
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import Caller
from .keys import Keys
from .rate import Rate
from .requests_seen import Requests

OPEN_PATHS = frozenset({"/health"})
"""Answered to anybody and never refused: whoever restarts the server asks there."""
LARGEST_BODY = 64 * 1024
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Pages load nothing from elsewhere and run no script that stands in a page: what telemetry says
# may be shown, never run. Styles may stand in a page: charts set them.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:;"
    " style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass
class RefusalError(Exception):
    """An answer that stands before any route.

    Parameters
    ----------
    status, detail
        Status code, and why.
    headers
        What the status asks for.
    """

    status: int
    detail: str
    headers: Mapping[str, str]


class Guard:
    """The ASGI application around the routes.

    Parameters
    ----------
    keys
        Who is let in; None: everybody who reaches the address, as `nobody`.
    nobody
        The caller of requests without keys.
    requests
        Where requests are counted.
    hosts
        Names that the server is called by; a page elsewhere that points its own name here is
        refused. None: any.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Keys | None,
        nobody: Caller,
        rate: Rate,
        requests: Requests,
        hosts: frozenset[str] | None = None,
    ) -> None:
        self.app = app
        self.keys, self.nobody, self.rate, self.hosts = keys, nobody, rate, hosts
        self.requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] == "websocket":
            # There is none, and none would have been asked for a key.
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        begun = time.perf_counter()
        # An application that raises has answered nothing yet.
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                # What one key sees is not for another; a copy is asked about before it is shown.
                headers.setdefault("Cache-Control", "private, no-cache")
                headers.add_vary_header("Authorization, X-API-Key")
            await send(message)

        try:
            self._admit(scope)
            await self.app(scope, receive, send_with_headers)
        except RefusalError as refusal:
            await _refuse(refusal, send_with_headers)
        finally:
            self.requests.observe(scope, status, time.perf_counter() - begun)

    def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        if scope["path"] in OPEN_PATHS:
            scope["caller"] = Caller("nobody", "viewer", frozenset())
            return
        address = (scope.get("client") or ("unknown", 0))[0]
        caller = self.nobody if self.keys is None else _caller(headers, self.keys)
        client = f"address {address}"
        if self.keys is not None and caller is not None:
            client = f"key {caller.name}"
        if wait := self.rate.wait_s(client):
            raise RefusalError(
                429, "too many requests: wait a little", {"Retry-After": str(math.ceil(wait))}
            )
        if caller is None:
            # A browser asks for a key by itself where it is told this way.
            is_page = "text/html" in headers.get("accept", "")
            how = 'Basic realm="leak-assets", charset="UTF-8"' if is_page else "Bearer"
            raise RefusalError(
                401,
                "a key is needed: `Authorization: Bearer KEY`, or KEY as the password in a browser",
                {"WWW-Authenticate": how},
            )
        if scope["method"] not in _SAFE:
            _check_change(headers)
        scope["caller"] = caller

    def _check_host(self, headers: Headers) -> None:
        if self.hosts is None:
            return
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if host not in self.hosts:
            raise RefusalError(400, "this server is not called by that name", {})


def _caller(headers: Headers, keys: Keys) -> Caller | None:
    given = _given_key(headers)
    return None if given is None else keys.caller(given)


def _given_key(headers: Headers) -> str | None:
    """Return the key that a request brings: as bearer, in its own header, or as a password."""
    if found := headers.get("x-api-key"):
        return found
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and value:
        return value.strip()
    if kind.lower() == "basic":
        try:
            said = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        return said.partition(":")[2] or None
    return None


def _check_change(headers: Headers) -> None:
    """Refuse changes that a page elsewhere makes a browser send, and bodies without end."""
    origin = headers.get("origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if is_foreign or headers.get("sec-fetch-site") == "cross-site":
        raise RefusalError(403, "changes are not taken from other sites", {})
    length = headers.get("content-length")
    if length is None and "transfer-encoding" in headers:
        raise RefusalError(411, "say how long the body is: Content-Length", {})
    if length is not None and (not length.isdecimal() or int(length) > LARGEST_BODY):
        raise RefusalError(413, f"a body has {LARGEST_BODY} bytes at most", {})


async def _refuse(refusal: RefusalError, send: Send) -> None:
    body = json.dumps({"detail": refusal.detail}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    await send(
        {
            "type": "http.response.start",
            "status": refusal.status,
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in {**headers, **refusal.headers}.items()
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
