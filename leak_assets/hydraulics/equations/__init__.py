"""The equations of a steady state in numpy, and what draws change. Knows no town and no twin."""
