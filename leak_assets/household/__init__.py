"""The home: sessions of water use, what a home's habits are, and when a session is a leak.

Pure functions over small frozen values; the graph's tables are made in `steps`. Nothing here
knows Dagster or a message broker.
"""
