"""--task_type=multilabel: a row has any number of the labels, none included."""
