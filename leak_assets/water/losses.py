"""From a night's flow to losses: what customers use, what leaks, what leaks unavoidably.

Formulas with their sources; no tables and no time axis.
"""

from leak_assets.sites.areas import Area

_L_PER_M3 = 1000.0
# Unavoidable annual real losses, L a day for each m of pressure: per km of mains, per service
# connection, per km of customers' pipe between street and meter. Lambert, Brown, Takizawa, Weimer
# (1999): A review of performance indicators for real losses from water supply systems, AQUA 48(6).
_UARL_MAINS, _UARL_CONNECTION, _UARL_SERVICE = 18.0, 0.8, 25.0


def legitimate_night_use(area: Area) -> float | None:
    """Return what customers of an area use at night, m3/h; None where nothing is known of them.

    A figure of the area's own counts first. Else 1.7 L for each connection and hour (mean night
    use of households: WRc, Managing Leakage, 1994, report E), else 0.6 L for each person and hour
    (6 % awake, one flush of 10 L: McKenzie, SANFLOW user guide, WRC TT 109/99). Both are
    figures of households: large users at night are the area's own figure.
    """
    if area.night_use_m3_per_h is not None:
        return area.night_use_m3_per_h
    if area.connections is not None:
        return area.connections * area.night_use_l_per_connection_h / _L_PER_M3
    if area.population is not None:
        return area.population * area.night_use_l_per_person_h / _L_PER_M3
    return None


def net_night_flow(area: Area, mnf_m3_per_h: float | None) -> float | None:
    """Return what of a minimum night flow is not used, m3/h.

    Below zero where the estimate of the night use is larger than what flows: it is then too high.
    """
    use = legitimate_night_use(area)
    return None if use is None or mnf_m3_per_h is None else mnf_m3_per_h - use


def current_losses(area: Area, net_m3_per_h: float | None) -> float | None:
    """Return the real losses of a day by its net night flow, m3 (CARL of a day); not below zero."""
    return None if net_m3_per_h is None else max(net_m3_per_h, 0.0) * area.night_day_factor_h


def unavoidable_losses(area: Area, pressure_m: float | None) -> float | None:
    """Return the unavoidable real losses of a day, m3 (UARL); None where something is not known.

    Parameters
    ----------
    pressure_m
        Mean pressure of the area on that day.

    Notes
    -----
    UARL = (18 Lm + 0.8 Nc + 25 Lp) P in L/day, with mains Lm and customers' pipes Lp in km.

    Examples
    --------
    >>> area = Area(name="a", meters={"m": 1}, mains_km=10, connections=500)
    >>> unavoidable_losses(area, 50)
    29.0
    """
    pressure_m = area.pressure_m if pressure_m is None else pressure_m
    if area.connections is None or area.mains_km is None or pressure_m is None:
        return None
    per_m = (
        _UARL_MAINS * area.mains_km
        + _UARL_CONNECTION * area.connections
        + _UARL_SERVICE * area.service_pipes_km
    )
    return per_m * max(pressure_m, 0.0) / _L_PER_M3


def leakage_index(current_m3: float | None, unavoidable_m3: float | None) -> float | None:
    """Return the infrastructure leakage index CARL / UARL; None where one is not known."""
    if current_m3 is None or not unavoidable_m3:
        return None
    return current_m3 / unavoidable_m3
