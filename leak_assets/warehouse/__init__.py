"""The warehouse: table schemas, the lake of Parquet partitions, the catalogue of views."""

from .lake import Warehouse, Written
from .record import Input

__all__ = ["Input", "Warehouse", "Written"]
