"""Quality gates, which decide whether a model may be used, and what to do where they fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from .config import DETECTOR, PINPOINTER, GateLimit

# Gates that say nothing of what the sensors show.
_CHANGE, _OTHERS = "change_request", ("net_eur", "latency_ms_p95")


@dataclass(frozen=True)
class GateResult:
    """One gate: the metric, its value, the limit and whether it holds."""

    metric: str
    value: float | None
    limit: float
    is_upper: bool
    passed: bool

    @property
    def message(self) -> str:
        """One line that names gate, value and limit."""
        value = "missing" if self.value is None else f"{self.value:.4g}"
        relation = "at most" if self.is_upper else "at least"
        verdict = "holds" if self.passed else "failed"
        return f"gate {self.metric} {verdict}: {value}, must be {relation} {self.limit:g}"


def check_gates(
    metrics: Mapping[str, float | None], gates: Mapping[str, GateLimit]
) -> list[GateResult]:
    """Return the result of every gate; a missing metric fails.

    Parameters
    ----------
    metrics
        Metrics of the test split by name.
    gates
        Limits by metric, each at least or at most.
    """
    results = []
    for metric, limit in gates.items():
        value = metrics.get(metric)
        for bound, is_upper in ((limit.min, False), (limit.max, True)):
            if bound is not None:
                passed = value is not None and (value <= bound if is_upper else value >= bound)
                results.append(GateResult(metric, value, bound, is_upper=is_upper, passed=passed))
    return results


def failed_gates(evaluations: pl.DataFrame, gates: Mapping[str, GateLimit]) -> list[str]:
    """Return the message of each gate that rows of `models.evaluations` do not hold.

    Parameters
    ----------
    evaluations
        Rows of one model version.
    """
    test = evaluations.filter(pl.col("split") == "test")
    metrics = dict(zip(test["metric"], test["value"], strict=True))
    return [result.message for result in check_gates(metrics, gates) if not result.passed]


def findings(metrics: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Return in words what a network's sensors let the models find, and what not.

    Parameters
    ----------
    metrics
        Metrics of the test split, by model.
    """
    lines = []
    if detector := metrics.get(DETECTOR):
        low, high = detector.get("leak_flow_m3_per_h_min"), detector.get("leak_flow_m3_per_h_max")
        found, weekly = (
            detector.get("found_from_m3_per_h"),
            detector.get("false_incidents_per_leak_free_week"),
        )
        tried = f"leaks of {_number(low)} to {_number(high)} m3/h were tried"
        if found is None:
            lines.append(f"{tried}; not even the largest are found in four of five windows")
        else:
            lines.append(f"{tried}; from {_number(found)} m3/h on four of five windows alarm")
        lines.append(
            f"false incidents in a leak-free week: {_number(weekly)}, in simulation without"
            " events and sensor faults"
        )
    if pinpointer := metrics.get(PINPOINTER):
        reached = _number(pinpointer.get("localisation_distance_m_median"))
        guessed = _number(pinpointer.get("fixed_guess_distance_m_median"))
        lines.append(
            f"the likeliest pipe is within 300 m in {_percent(pinpointer.get('hit_300m'))} of leak"
            f" windows, at the median {reached} m off; the most central pipe as the answer every"
            f" time would be {guessed} m off"
        )
    return lines


def advice(network: str, failures: Mapping[str, list[str]]) -> list[str]:
    """Return what to do where gates fail; empty if all hold.

    Parameters
    ----------
    failures
        Messages of failed gates, by model.
    """
    lines = []
    if any(f"gate {_CHANGE}" in line for mine in failures.values() for line in mine):
        lines.append(
            "name the request in the configuration, `change_request: CR-7`, and train again"
        )
    if _says_of_sensors(failures.get(DETECTOR, [])):
        lines += [
            f"the sensors of {network} do not tell leaks of these sizes from demand: add pressure"
            f" sensors (`leak-assets place-sensors --network {network}` says where),"
            " or train on more towns (`--batches`)",
            "without trained models the likelihood method works, which needs no training:"
            " `leak-assets detect`",
        ]
    elif not failures.get(DETECTOR) and _says_of_sensors(failures.get(PINPOINTER, [])):
        lines.append(
            f"the sensors of {network} show that a leak runs, not where: the detector is used"
            " alone, and incidents name no pipe. More pressure sensors place it"
            f" (`leak-assets place-sensors --network {network}` says where)"
        )
    return lines


def _says_of_sensors(failures: Sequence[str]) -> bool:
    """Whether a gate failed on what the model finds, not on money, time or a missing request."""
    others = tuple(f"gate {name}" for name in (_CHANGE, *_OTHERS))
    return any(not any(name in line for name in others) for line in failures)


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.0f} %"
