"""What the data looks like, before anything is trained on it: --do_check.

    examples --survey--> Survey of each split --texts, duplicates, labels, vocabulary, lengths-->
        Findings --stage, rendering--> data_check.txt, data_check.json, the log

A check is a function of surveys: no TensorFlow, no files. cost.py makes some training steps.
"""
