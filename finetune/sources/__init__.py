"""Where checkpoints come from, and what they can be turned into."""
