"""The warehouse: table schemas, the lake of Parquet partitions, the catalogue of views."""

from .lake import Input, Warehouse, Written

__all__ = ["Input", "Warehouse", "Written"]
