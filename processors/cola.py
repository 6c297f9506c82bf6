"""CoLA: is the sentence acceptable English?"""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Cola(TsvProcessor):
    """The Corpus of Linguistic Acceptability (Warstadt et al., 2018, arXiv 1805.12471).

    Columns: source, label, the author's star, sentence. Only the test file has a header and an
    index instead of the first three.
    """

    name = "cola"
    labels = ("0", "1")
    metrics = ("mcc", "accuracy")
    train = Split("train.tsv", text_a=3, label=1)
    dev = Split("dev.tsv", text_a=3, label=1)
    test = Split("test.tsv", text_a=1, row_id=0, header="sentence")
