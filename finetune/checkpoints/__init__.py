"""TensorFlow 1 checkpoints, in and out: read, written beside training, checked, compared.

Read checkpoint.py first.
"""
