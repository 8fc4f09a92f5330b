"""The twin: what sensors should read, its calibration, and measured minus expected."""
