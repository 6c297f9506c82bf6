"""report.html: what a run learned and where it errs, on one page without scripts.

    writer --> facts (of the run) + folder (what earlier runs left) --> page: the sections of a kind
        sections: shared, classification, multilabel, regression --> markup, charts (SVG)
        numbers: curves, accuracy, label_errors, rows, finetune.calibration (pure, numpy)

`page.KINDS` says which sections a kind of task has, and in which order.
"""
