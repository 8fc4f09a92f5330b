"""Quality gates, which decide whether a model may go into service."""

from collections.abc import Mapping
from dataclasses import dataclass

from .config import GateLimit


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
        Limits by metric; a gate with both limits gives two results.
    """
    results = []
    for metric, limit in gates.items():
        value = metrics.get(metric)
        if limit.min is not None:
            passed = value is not None and value >= limit.min
            results.append(GateResult(metric, value, limit.min, is_upper=False, passed=passed))
        if limit.max is not None:
            passed = value is not None and value <= limit.max
            results.append(GateResult(metric, value, limit.max, is_upper=True, passed=passed))
    return results


def failures(results: list[GateResult]) -> list[str]:
    """Return the messages of the gates that failed."""
    return [result.message for result in results if not result.passed]
