"""--sweep: every combination of a file's values, each a run in a process of its own."""
