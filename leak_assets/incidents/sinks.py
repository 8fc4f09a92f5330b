"""Where notifications go: a webhook, a folder of files. One delivery each, nothing remembered.

When something is sent again is `notifications`' business. What a sink says of a failure never
holds an address, a token or an answer: it is stored and shown.
"""

import http.client
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Protocol

from leak_assets import __version__
from leak_assets.settings import Settings
from leak_assets.system.files import publish

# Answers about the message; every other failure is the sink's, and the next message meets it too.
_REFUSED = frozenset({400, 409, 413, 415, 422})


@dataclass(frozen=True)
class Delivery:
    """What became of one attempt.

    Parameters
    ----------
    problem
        Why it failed, in words without addresses; empty where it arrived.
    is_refused
        The sink works and does not want this message.
    retry_after_s
        How long the sink asks to be left alone.
    """

    problem: str = ""
    is_refused: bool = False
    retry_after_s: float = 0.0


class Sink(Protocol):
    """Takes a notification; the same key twice is the same notification."""

    @property
    def name(self) -> str:
        """Name in the tables."""
        ...

    def deliver(self, key: str, body: str) -> Delivery:
        """Hand over a JSON document under its idempotency key."""
        ...


@dataclass(frozen=True)
class FolderSink:
    """A file for each notification, named by its key: repeating it changes nothing."""

    folder: Path
    name: str = "file"

    def deliver(self, key: str, body: str) -> Delivery:
        """Write `<key>.json`."""
        try:
            publish(self.folder / f"{key}.json", body.encode())
        except OSError as error:
            return Delivery(f"cannot write: {error.strerror or 'the disk refuses'}")
        return Delivery()


@dataclass(frozen=True)
class WebhookSink:
    """A POST for each notification; the key goes along as `Idempotency-Key`.

    Parameters
    ----------
    url
        `http` or `https`; may hold a secret.
    token
        Sent as bearer token.
    timeout_s
        For connecting, and for each wait for an answer.
    """

    url: str
    token: str | None = None
    timeout_s: float = 10.0
    name: str = "webhook"

    def __repr__(self) -> str:
        """Show neither address nor token."""
        return "WebhookSink(...)"

    def deliver(self, key: str, body: str) -> Delivery:
        """Post the document; any 2xx is an arrival, a redirect is none."""
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "User-Agent": f"leak-assets/{__version__}",
        }
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url, body.encode(), headers, method="POST")  # noqa: S310 - the settings let http and https pass only
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=self.timeout_s):
                return Delivery()
        except urllib.error.HTTPError as error:
            with error:
                after = _seconds(error.headers)
                return Delivery(f"HTTP {error.code}", error.code in _REFUSED, after)
        except urllib.error.URLError as error:
            return Delivery(_reason(error.reason))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Delivery(_reason(error))


def sinks(settings: Settings) -> list[Sink]:
    """Return the sinks that the settings name; none where nothing is to be told."""
    found: list[Sink] = []
    if settings.notify_webhook_url is not None:
        token = settings.notify_webhook_token
        found.append(
            WebhookSink(
                settings.notify_webhook_url.get_secret_value(),
                token.get_secret_value() if token else None,
                settings.notify_timeout_s,
            )
        )
    if settings.notify_folder is not None:
        found.append(FolderSink(settings.notify_folder))
    return found


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could carry the token to another host, and turns a POST into a GET."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing."""


def _reason(error: object) -> str:
    """Return a kind of failure without what the error quotes."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionError():
            return "connection lost"
        case ssl.SSLError():
            return "the certificate or the encryption does not hold"
        case _:
            return f"not reachable ({type(error).__name__})"


def _seconds(headers: Message | None) -> float:
    """Return `Retry-After` in seconds; 0 where there is none, or a date."""
    text = (headers.get("Retry-After") if headers is not None else None) or ""
    return float(text) if text.strip().isdigit() else 0.0
