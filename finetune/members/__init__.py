"""--kfold and --ensemble: several trainings in folders within output_dir, and their mean."""
