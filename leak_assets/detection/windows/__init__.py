"""The window method: trained models score windows of three hours."""
