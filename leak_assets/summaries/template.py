"""The summary that needs no language model: same facts, same words.

Names from the data appear only in double quotes; free text (messages) does not appear at all.
"""

import json
import re
from datetime import datetime
from typing import Any

_TOLD = 3
"""Pipes and sensors in the text: what one crew looks at first."""
_DIRECTIONS = {True: "above", False: "below"}


def render(facts: dict[str, Any]) -> str:
    """Return the text for an incident, a batch of anomalies, a day, or a meter that never rests.

    Parameters
    ----------
    facts
        From `facts.incident_facts`, `facts.anomaly_facts`, `facts.day_facts` or
        `letters.letter_facts`.
    """
    kinds = {
        "incident": _incident,
        "anomalies": _anomalies,
        "day": _day,
        "continuous_flow": _letter,
    }
    return kinds[facts["kind"]](facts)


def _letter(facts: dict[str, Any]) -> str:
    return (
        f"Dear customer, since {_when(facts['runs_since'])} the water at your meter"
        f" {_quoted(facts['meter'])} has not rested for a single hour: at least"
        f" {_amount(facts['flow'])} have run all the time, {_amount(facts['lost'])} in"
        f" {_amount(facts['hours'])}, about {_amount(facts['cost'])}. If nobody stops it, that is"
        f" {_amount(facts['in_a_year'])} or {_amount(facts['cost_in_a_year'])} in a year."
        " The usual causes are a running toilet, a dripping tap, a softener, irrigation or a"
        " leaking pipe. To find it, close all taps and look at the meter: if it still turns, close"
        " the valve of each part of the house in turn. A running toilet shows with a little food"
        " color in the cistern. If you know of a use that never rests, please tell us."
    )


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _word(text: str) -> str:
    """Return a plain word of the field as it is, anything else as a quoted name."""
    return text if re.fullmatch(r"[a-z_]{1,24}", text) else _quoted(text)


def _when(iso: str) -> str:
    moment = datetime.fromisoformat(iso)
    offset = moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M} (UTC{offset[:3]}:{offset[3:]})"


def _amount(quantity: dict[str, Any]) -> str:
    value = quantity["value"]
    return f"{value if value is not None else 'unknown'} {quantity['unit']}"


def _incident(facts: dict[str, Any]) -> str:
    until = (
        f"to {_when(facts['leak_end'])}, when it ended"
        if facts["leak_end"]
        else f"and still open at {_when(facts['known_at'])}"
    )
    parts = [
        f"Leak suspected in network {_quoted(facts['network'])}, severity {facts['severity']}, "
        f"from {_when(facts['leak_start'])} {until}; detected {_when(facts['detected_at'])}, "
        f"{facts['hours_from_start_to_detection']} h after its estimated start.",
        f"The estimated leak flow is {_amount(facts['estimated_flow'])}; "
        f"{_amount(facts['volume_lost'])} lost so far, worth {_amount(facts['value'])} "
        f"at {_amount(facts['price'])}.",
    ]
    pipes = [
        f"pipe {_quoted(p['link_id'])} (probability {p['probability']}, {_amount(p['length'])})"
        for p in facts["candidate_pipes"][:_TOLD]
    ]
    if pipes:
        first = "It has moved: dig" if facts["event"] == "relocated" else "Dig"
        parts.append(f"{first} first at {pipes[0]}" + _then(pipes[1:]) + ".")
    else:
        parts.append("No candidate pipe could be named.")
    sensors = [_sensor(s) for s in facts["evidence"] if s["residual"]["value"] is not None]
    sensors = sensors[:_TOLD]
    if sensors:
        parts.append(f"Evidence: {'; '.join(sensors)}.")
    parts.append(
        f"Confidence {facts['confidence']} by method {_quoted(facts['method']['name'])}, "
        f"version {_quoted(facts['method']['version'])}; incident "
        f"{_quoted(facts['incident_id'])}, revision {facts['revision']}, {facts['status']}."
    )
    return " ".join(parts)


def _then(pipes: list[str]) -> str:
    return f", then {', '.join(pipes)}" if pipes else ""


def _sensor(sensor: dict[str, Any]) -> str:
    residual = sensor["residual"]
    direction = _DIRECTIONS[residual["value"] >= 0]
    return (
        f"{sensor['quantity']} at {_quoted(sensor['sensor_id'])} {abs(residual['value'])} "
        f"{residual['unit']} {direction} expectation (z {sensor['residual_z']})"
    )


def _anomalies(facts: dict[str, Any]) -> str:
    count = facts["count"]
    sensors = ", ".join(_quoted(s) for s in facts["sensor_ids"])
    first, last = facts["first_at"], facts["last_at"]
    time = f"At {first}" if first == last else f"From {first} to {last}"
    head = (
        f"{time} (UTC+00:00), {sensors} reported "
        f"{count} {'anomaly' if count == 1 else 'anomalies'}."
    )
    listed = "; ".join(_anomaly(a) for a in facts["listed"])
    more = f" And {facts['not_listed']} more." if facts["not_listed"] else ""
    return f"{head} {listed[0].upper()}{listed[1:]}.{more}"


def _day(facts: dict[str, Any]) -> str:
    running = facts["running"]
    head = (
        f"On {facts['day']} (UTC+00:00), network {_quoted(facts['network'])} had"
        f" {facts['opened']} new and {facts['closed']} closed leak incidents;"
        f" {running} {'was' if running == 1 else 'were'} running at its end"
    )
    if not facts["listed"]:
        return f"{head}."
    cost = (
        f" with {_amount(facts['flow'])}. The day cost {_amount(facts['volume_lost'])} of water,"
        f" worth {_amount(facts['value'])}."
    )
    told = "; ".join(
        f"{_quoted(i['incident_id'])} ({i['severity']}, {i['status']}) since"
        f" {_when(i['leak_start'])}, {_amount(i['flow'])}, {_amount(i['value'])} so far,"
        f" first pipe {_quoted(i['first_pipe'])}"
        for i in facts["listed"]
    )
    more = f" And {facts['not_listed']} more." if facts["not_listed"] else ""
    return f"{head}{cost} Costliest first: {told}.{more}"


def _anomaly(anomaly: dict[str, Any]) -> str:
    value = "" if anomaly["value"] is None else f" of {anomaly['value']:g} {anomaly['unit']}"
    what = f"{_word(anomaly['parameter'])} {_word(anomaly['type'])}{value.rstrip()}"
    if anomaly["type"] == "dropout":
        # Of the whole sensor; its value is how long it lasted, which comes anyway.
        what = "dropout"
    text = f"{what} at {anomaly['timestamp']} on {_quoted(anomaly['sensor_id'])}"
    if "duration_s" in anomaly:
        text += f", lasting {anomaly['duration_s']:g} s"
    if "started_at" in anomaly:
        text += f" from {anomaly['started_at']}"
    return text
