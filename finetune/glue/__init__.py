"""GLUE's files: fetched before a run, and handed in after it."""
