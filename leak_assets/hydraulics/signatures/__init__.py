"""What a leak at each pipe changes at each sensor, and where sensors see most."""
