"""QNLI: does the sentence hold the answer to the question?"""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Qnli(TsvProcessor):
    """SQuAD as pairs of question and sentence (Rajpurkar et al., 2016; GLUE's second edition).

    Columns: index, question, sentence, label (not in the test file).
    """

    name = "qnli"
    labels = ("entailment", "not_entailment")
    metrics = ("accuracy",)
    train = Split("train.tsv", text_a=1, text_b=2, label=3, row_id=0, header="question")
    dev = Split("dev.tsv", text_a=1, text_b=2, label=3, row_id=0, header="question")
    test = Split("test.tsv", text_a=1, text_b=2, row_id=0, header="question")
