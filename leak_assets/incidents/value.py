"""What a leak costs and how severe it is. Flow and volume are the detection method's."""

from .policy import (
    SEVERITY_FALLS_BELOW_SHARE,
    SEVERITY_HIGH_FROM_M3_PER_H,
    SEVERITY_MEDIUM_FROM_M3_PER_H,
)

SEVERITIES = ("low", "medium", "high")
_LIMITS = (SEVERITY_MEDIUM_FROM_M3_PER_H, SEVERITY_HIGH_FROM_M3_PER_H)


def value_eur(volume_m3: float, price_eur_per_m3: float) -> float:
    """Return the value of a volume of water in euro."""
    return volume_m3 * price_eur_per_m3


def severity(flow_m3_per_h: float, before: str | None = None) -> str:
    """Return `low`, `medium` or `high` for a leak flow.

    Parameters
    ----------
    flow_m3_per_h
        Estimated leak flow.
    before
        Severity that the incident has; it falls only where the flow is clearly below the limit.

    Examples
    --------
    >>> severity(4.9), severity(4.9, before="medium"), severity(4.4, before="medium")
    ('low', 'medium', 'low')
    """
    passed = 0 if before is None else SEVERITIES.index(before)
    level = sum(
        flow_m3_per_h >= limit * (SEVERITY_FALLS_BELOW_SHARE if number < passed else 1.0)
        for number, limit in enumerate(_LIMITS)
    )
    return SEVERITIES[level]
