"""Water balance of district metered areas: net inflow, night flow, losses."""
