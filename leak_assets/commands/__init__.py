"""The commands of `leak-assets`, one topic per file. They parse, call a step, print."""
