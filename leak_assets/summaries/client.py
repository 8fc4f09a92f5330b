"""The language model behind the summaries, and the way out when it does not serve.

Detection never waits for it to be right: any failure gives the template's text with a reason.
The API key goes to the client library and nowhere else: reasons are made of our own words,
never of a server's answer.
"""

import logging
import queue
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from leak_assets.settings import Settings

from .facts import halved
from .faithfulness import unknown_number
from .prompt import Messages, build_messages, prompt_sha256, repeat_request
from .template import render

_LOG = logging.getLogger(__name__)
_MAX_RETRIES = 1
_GRACE_S = 1.0
"""For the pause before the second try; a server that asks for a longer one has to be quick then."""
# How llama.cpp, llama_cpp.server, vLLM and OpenAI say that a prompt is too long.
_TOO_LONG = re.compile(
    r"context[_ ](length|size|window)|exceed_context|maximum context|prompt is too long"
    r"|too many tokens|input is too large",
    re.IGNORECASE,
)
_MOST_CHARACTERS = 20_000
"""Longer is no summary: a server that writes without end is stopped there."""


@dataclass(frozen=True)
class Summary:
    """A text and how it came about; the columns of `incidents.summaries`."""

    text: str
    generated_by: str
    model_name: str | None
    temperature: float | None
    prompt_sha256: str
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float
    finish_reason: str | None
    fallback_reason: str | None


@dataclass(frozen=True)
class _Answer:
    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str | None


class _UnusableAnswerError(Exception):
    """The server answered, but with nothing to print; the message is a short code."""

    def __init__(self, reason: str, finish_reason: str | None = None) -> None:
        super().__init__(reason)
        self.finish_reason = finish_reason


class _TooLongError(_UnusableAnswerError):
    """The prompt has more tokens than the model takes."""


def summarize(facts: dict[str, Any], settings: Settings) -> Summary:
    """Return a summary of the facts by the language model, or by the template.

    Any OpenAI-compatible server serves; without `openai_api_base` the template writes. A text
    with a number that the facts do not hold is asked for once more, then refused. Facts that are
    too long for the model are told with half of what they list, once. The answer takes at most
    twice the time-out of the settings and a second, whatever the server does.

    It is asked for from a thread and not with `ainvoke`: those who want a summary (runs of a day,
    the watch, commands) have no event loop, and the thread is given up on time where a server
    sends a byte now and then. The watch asks from a thread of its own (`plant_live`), so nothing
    that is judged waits for a text.

    Parameters
    ----------
    facts
        From `facts.incident_facts`, `facts.anomaly_facts` or `facts.day_facts`.
    settings
        Base URL, key, model, temperature, token limit and time-out.

    Returns
    -------
    Summary
        Its `prompt_sha256` is that of the prompt of all facts, asked for first.
    """
    started = time.monotonic()
    sha256 = prompt_sha256(build_messages(facts))
    if not settings.openai_api_base:
        return _by_template(facts, sha256, started, "no language model configured")
    limit_s = 2 * settings.llm_timeout_s + _GRACE_S
    try:
        # Made here: seconds of imports are not the server's.
        model = _model(settings)
        answer = _within(limit_s, lambda: _answer_that_fits(model, facts, settings))
    except _UnusableAnswerError as error:
        reason = str(error)
        _LOG.warning("summary by template instead of %s: %s", settings.llm_model_name, reason)
        return _by_template(facts, sha256, started, reason, error.finish_reason)
    return Summary(
        text=answer.text,
        generated_by="llm_summarizer",
        model_name=settings.llm_model_name,
        temperature=settings.llm_temperature,
        prompt_sha256=sha256,
        prompt_tokens=answer.prompt_tokens or None,
        completion_tokens=answer.completion_tokens or None,
        latency_s=time.monotonic() - started,
        finish_reason=answer.finish_reason,
        fallback_reason=None,
    )


def _by_template(
    facts: dict[str, Any],
    sha256: str,
    started: float,
    reason: str,
    finish_reason: str | None = None,
) -> Summary:
    return Summary(
        text=render(facts),
        generated_by="template",
        model_name=None,
        temperature=None,
        prompt_sha256=sha256,
        prompt_tokens=None,
        completion_tokens=None,
        latency_s=time.monotonic() - started,
        finish_reason=finish_reason,
        fallback_reason=reason,
    )


def _within(limit_s: float, ask: Callable[[], _Answer]) -> _Answer:
    """Return an answer within a time: a server that sends a byte now and then has none of its own.

    The thread of a request that takes longer ends with its connection; nobody waits for it.
    """
    found: queue.SimpleQueue[_Answer | BaseException] = queue.SimpleQueue()

    def carry_out() -> None:
        try:
            found.put(ask())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            found.put(error)

    threading.Thread(target=carry_out, name="summary", daemon=True).start()
    try:
        outcome = found.get(timeout=limit_s)
    except queue.Empty:
        raise _UnusableAnswerError(f"no answer within {limit_s:g} s") from None
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _answer_that_fits(model: Any, facts: dict[str, Any], settings: Settings) -> _Answer:
    def ask(messages: Messages) -> _Answer:
        return _ask(model, messages, settings)

    try:
        return _faithful_answer(ask, facts)
    except _TooLongError:
        fewer = halved(facts)
        if fewer is None:
            raise
        _LOG.warning("the facts are too long for the language model; asking with half of them")
        return _faithful_answer(ask, fewer)


def _faithful_answer(ask: Callable[[Messages], _Answer], facts: dict[str, Any]) -> _Answer:
    messages = build_messages(facts)
    first = ask(messages)
    unknown = unknown_number(first.text, facts)
    if unknown is None:
        return first
    _LOG.warning("language model wrote %s, which is not in the facts; asking again", unknown)
    second = ask(repeat_request(messages, first.text, unknown))
    unknown = unknown_number(second.text, facts)
    if unknown is not None:
        raise _UnusableAnswerError(f"number {unknown} is not in the facts", second.finish_reason)
    return _Answer(
        second.text,
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
        second.finish_reason,
    )


def _model(settings: Settings) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        base_url=settings.openai_api_base,
        api_key=settings.openai_api_key,
        model=settings.llm_model_name,
        temperature=settings.llm_temperature,
        # ChatOpenAI would send `max_completion_tokens`, which llama.cpp and Ollama ignore.
        extra_body={"max_tokens": settings.llm_max_tokens},
        timeout=settings.llm_timeout_s,
        max_retries=_MAX_RETRIES,
        use_responses_api=False,
        stream_usage=settings.llm_streaming,
    )


def _ask(model: Any, messages: Messages, settings: Settings) -> _Answer:
    import httpx2
    import openai
    from langsmith.run_helpers import tracing_context

    try:
        # Facts go to the configured server only, whatever tracing the environment asks for.
        with tracing_context(enabled=False):
            message = (
                _streamed(model, messages) if settings.llm_streaming else model.invoke(messages)
            )
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        raise _UnusableAnswerError(f"no answer within {settings.llm_timeout_s:g} s") from error
    except (openai.APIConnectionError, httpx2.TransportError) as error:
        raise _UnusableAnswerError(_CUT if settings.llm_streaming else _UNREACHABLE) from error
    except openai.APIStatusError as error:
        if _is_too_long(error):
            raise _TooLongError("facts longer than the model's context") from error
        raise _UnusableAnswerError(f"HTTP status {error.status_code}") from error
    # LangChain reads an HTML page or a body without choices as an answer and trips over it.
    except (
        openai.OpenAIError,
        AttributeError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
    ) as error:
        if _is_too_long(error):
            raise _TooLongError("facts longer than the model's context") from error
        raise _UnusableAnswerError(
            f"answer is no chat completion ({type(error).__name__})"
        ) from error
    finish_reason = _short(message.response_metadata.get("finish_reason"))
    if finish_reason != "stop" and not (finish_reason is None and not settings.llm_streaming):
        told = f"finish_reason {finish_reason!r}" if finish_reason else "the stream ended early"
        raise _UnusableAnswerError(f"answer cut off ({told})", finish_reason)
    text = message.text.strip()
    if not text:
        raise _UnusableAnswerError("empty answer", finish_reason)
    usage = message.usage_metadata
    return _Answer(
        text,
        usage["input_tokens"] if usage else 0,
        usage["output_tokens"] if usage else 0,
        finish_reason,
    )


def _is_too_long(error: Exception) -> bool:
    # What the server said, and the code that it gave: the client's own words hold one of them.
    told = (error, getattr(error, "code", ""), getattr(error, "body", ""))
    return bool(_TOO_LONG.search(" ".join(map(str, told))))


_UNREACHABLE = "server not reachable"
_CUT = "server not reachable, or the stream was cut"


def _streamed(model: Any, messages: Messages) -> Any:
    """Return the chunks of an answer as one message."""
    whole = None
    length = 0
    for chunk in model.stream(messages):
        whole = chunk if whole is None else whole + chunk
        length += len(chunk.text)
        if length > _MOST_CHARACTERS:
            raise _UnusableAnswerError(f"answer of more than {_MOST_CHARACTERS:,} characters")
    if whole is None:
        raise ValueError("no chunk")
    return whole


def _short(text: object) -> str | None:
    return None if text is None else str(text)[:20]
