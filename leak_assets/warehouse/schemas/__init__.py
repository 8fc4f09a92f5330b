"""All tables and views of the warehouse, gathered from the modules beside this one."""

from . import audit, detection, features, incidents, models, network, simulation, telemetry, water
from .table import Column, Table, View

_MODULES = (network, simulation, telemetry, features, models, detection, incidents, water)

TABLES: dict[str, Table] = {t.full_name: t for module in _MODULES for t in module.TABLES}
VIEWS: dict[str, View] = {
    v.full_name: v for v in (*models.VIEWS, *incidents.VIEWS, *water.VIEWS, *audit.VIEWS)
}

__all__ = ["TABLES", "VIEWS", "Column", "Table", "View"]
