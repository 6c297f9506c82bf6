"""RTE: does the first text entail the second?"""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Rte(TsvProcessor):
    """Recognizing Textual Entailment 1, 2, 3 and 5, as GLUE joins them (Dagan et al., 2006).

    Columns: index, sentence1, sentence2, label (not in the test file).
    """

    name = "rte"
    labels = ("entailment", "not_entailment")
    metrics = ("accuracy",)
    train = Split("train.tsv", text_a=1, text_b=2, label=3, row_id=0, header="sentence1")
    dev = Split("dev.tsv", text_a=1, text_b=2, label=3, row_id=0, header="sentence1")
    test = Split("test.tsv", text_a=1, text_b=2, row_id=0, header="sentence1")
