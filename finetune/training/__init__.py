"""How a model learns: the loop, one step of it, its loss, its optimizer, its schedule.

Read trainer.py first: the loop. step.py is one update of it.
"""
