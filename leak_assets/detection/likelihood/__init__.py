"""The likelihood method: a filter over daily channels, and what a change in them can be."""
