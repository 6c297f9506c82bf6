"""The command in the manner of scikit-learn: Classifier and Regressor."""
