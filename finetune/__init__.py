"""HOW any task is run: features, encoder, training, evaluation, prediction.

Never imports `processors`, never reads flags. `runner.run(config, processor)` is the way in.
"""
