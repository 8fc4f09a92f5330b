"""From residuals to alarms: scoring windows with the exported models."""
