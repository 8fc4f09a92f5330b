"""Summaries: facts in, a text that a person reads out; by a language model or by the template."""
