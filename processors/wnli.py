"""WNLI: is the sentence with the pronoun replaced entailed?"""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Wnli(TsvProcessor):
    """The Winograd Schema Challenge as pairs (Levesque et al., 2012; GLUE's files).

    Columns: index, sentence1, sentence2, label (not in the test file). Sentences of the train and
    dev files recur with opposite labels, so a model that learns them scores below chance on dev;
    the paper leaves the task out.
    """

    name = "wnli"
    labels = ("0", "1")
    metrics = ("accuracy",)
    train = Split("train.tsv", text_a=1, text_b=2, label=3, row_id=0, header="sentence1")
    dev = Split("dev.tsv", text_a=1, text_b=2, label=3, row_id=0, header="sentence1")
    test = Split("test.tsv", text_a=1, text_b=2, row_id=0, header="sentence1")
