"""MNLI: does the first sentence entail or contradict the second?"""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Mnli(TsvProcessor):
    """The Multi-Genre Natural Language Inference corpus (Williams et al., 2018, arXiv 1704.05426).

    The sentences are columns 8 and 9; the label is the last column of a number that varies from
    file to file. Dev and test are the matched ones, as in the original.
    """

    name = "mnli"
    labels = ("contradiction", "entailment", "neutral")
    metrics = ("accuracy",)
    train = Split("train.tsv", text_a=8, text_b=9, label=-1, row_id=0, guid=0, header="sentence1")
    dev = Split("dev_matched.tsv", text_a=8, text_b=9, label=-1, row_id=0, guid=0,
                guid_prefix="dev_matched", header="sentence1")
    test = Split("test_matched.tsv", text_a=8, text_b=9, row_id=0, guid=0, header="sentence1")
