"""A trained model behind HTTP: batches, limits, health, metrics. Imports no TensorFlow."""
