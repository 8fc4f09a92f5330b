"""Network registry, sensor layout and pipe distance: what is in the ground and what is measured."""

from .distance import PipeDistance
from .layout import layout_from_headers, load_layout
from .registry import (
    Network,
    packaged_names,
    register,
    registered_names,
    resolve,
    resolve_registered,
)
from .sensors import Sensor, SensorLayout
from .tables import candidate_pipes, links_frame, nodes_frame, pipe_distance_frame, sensors_frame

__all__ = [
    "Network",
    "PipeDistance",
    "Sensor",
    "SensorLayout",
    "candidate_pipes",
    "layout_from_headers",
    "links_frame",
    "load_layout",
    "nodes_frame",
    "packaged_names",
    "pipe_distance_frame",
    "register",
    "registered_names",
    "resolve",
    "resolve_registered",
    "sensors_frame",
]
