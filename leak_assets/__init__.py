"""leak-assets: from network model and telemetry to leak incidents a crew can act on.

This module holds the package version and nothing else; rooms are imported by name.
"""

__version__ = "0.1.0"
