"""The language model behind the summaries, and the way out when it does not serve.

Detection never waits for it to be right: any failure gives the template's text with a reason.
The API key goes to the client library and nowhere else: reasons are made of our own words,
never of a server's answer.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any

from leak_assets.settings import Settings

from .faithfulness import unknown_number
from .prompt import Messages, build_messages, prompt_sha256, repeat_request
from .template import render

_LOG = logging.getLogger(__name__)
_MAX_RETRIES = 1


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
    fallback_reason: str | None


@dataclass(frozen=True)
class _Answer:
    text: str
    prompt_tokens: int
    completion_tokens: int


class _UnusableAnswerError(Exception):
    """The server answered, but with nothing to print; the message is a short code."""


def summarize(facts: dict[str, Any], settings: Settings) -> Summary:
    """Return a summary of the facts by the language model, or by the template.

    Any OpenAI-compatible server serves; without `openai_api_base` the template writes. A text
    with a number that the facts do not hold is asked for once more, then refused.

    Parameters
    ----------
    facts
        From `facts.incident_facts` or `facts.anomaly_facts`.
    settings
        Base URL, key, model, temperature, token limit and time-out.
    """
    started = time.monotonic()
    messages = build_messages(facts)
    if not settings.openai_api_base:
        return _by_template(facts, messages, started, "no language model configured")
    try:
        answer = _faithful_answer(messages, facts, settings)
    except _UnusableAnswerError as error:
        reason = str(error)
    else:
        return Summary(
            text=answer.text,
            generated_by="llm_summarizer",
            model_name=settings.llm_model_name,
            temperature=settings.llm_temperature,
            prompt_sha256=prompt_sha256(messages),
            prompt_tokens=answer.prompt_tokens or None,
            completion_tokens=answer.completion_tokens or None,
            latency_s=time.monotonic() - started,
            fallback_reason=None,
        )
    _LOG.warning("summary by template instead of %s: %s", settings.llm_model_name, reason)
    return _by_template(facts, messages, started, reason)


def _by_template(facts: dict[str, Any], messages: Messages, started: float, reason: str) -> Summary:
    return Summary(
        text=render(facts),
        generated_by="template",
        model_name=None,
        temperature=None,
        prompt_sha256=prompt_sha256(messages),
        prompt_tokens=None,
        completion_tokens=None,
        latency_s=time.monotonic() - started,
        fallback_reason=reason,
    )


def _faithful_answer(messages: Messages, facts: dict[str, Any], settings: Settings) -> _Answer:
    first = _ask(messages, settings)
    unknown = unknown_number(first.text, facts)
    if unknown is None:
        return first
    _LOG.warning("language model wrote %s, which is not in the facts; asking again", unknown)
    second = _ask(repeat_request(messages, first.text, unknown), settings)
    unknown = unknown_number(second.text, facts)
    if unknown is not None:
        msg = f"number {unknown} is not in the facts"
        raise _UnusableAnswerError(msg)
    return _Answer(
        second.text,
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
    )


def _ask(messages: Messages, settings: Settings) -> _Answer:
    import openai
    from langchain_openai import ChatOpenAI
    from langsmith.run_helpers import tracing_context

    model = ChatOpenAI(
        base_url=settings.openai_api_base,
        api_key=settings.openai_api_key,
        model=settings.llm_model_name,
        temperature=settings.llm_temperature,
        # ChatOpenAI would send `max_completion_tokens`, which llama.cpp and Ollama ignore.
        extra_body={"max_tokens": settings.llm_max_tokens},
        timeout=settings.llm_timeout_s,
        max_retries=_MAX_RETRIES,
        use_responses_api=False,
    )
    try:
        # Facts go to the configured server only, whatever tracing the environment asks for.
        with tracing_context(enabled=False):
            message = model.invoke(messages)
    except openai.APITimeoutError as error:
        msg = f"no answer within {settings.llm_timeout_s:g} s"
        raise _UnusableAnswerError(msg) from error
    except openai.APIConnectionError as error:
        msg = "server not reachable"
        raise _UnusableAnswerError(msg) from error
    except openai.APIStatusError as error:
        msg = f"HTTP status {error.status_code}"
        raise _UnusableAnswerError(msg) from error
    # LangChain reads an HTML page or a body without choices as an answer and trips over it.
    except (
        openai.OpenAIError,
        AttributeError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
    ) as error:
        msg = f"answer is no chat completion ({type(error).__name__})"
        raise _UnusableAnswerError(msg) from error
    finish_reason = message.response_metadata.get("finish_reason")
    if finish_reason not in {"stop", None}:
        msg = f"answer cut off (finish_reason {str(finish_reason)[:20]!r})"
        raise _UnusableAnswerError(msg)
    text = message.text.strip()
    if not text:
        msg = "empty answer"
        raise _UnusableAnswerError(msg)
    usage = message.usage_metadata
    return _Answer(
        text, usage["input_tokens"] if usage else 0, usage["output_tokens"] if usage else 0
    )
