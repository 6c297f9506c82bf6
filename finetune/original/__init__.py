"""google-research/bert's own flow: as an engine (--engine=original), and to compare ours with."""
