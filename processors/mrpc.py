"""MRPC: do two sentences say the same?"""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Mrpc(TsvProcessor):
    """The Microsoft Research Paraphrase Corpus (Dolan and Brockett, 2005).

    Columns: Quality (index in the test file), #1 ID, #2 ID, #1 String, #2 String.
    """

    name = "mrpc"
    labels = ("0", "1")
    metrics = ("accuracy", "f1")
    train = Split("train.tsv", text_a=3, text_b=4, label=0, header="#1 String")
    dev = Split("dev.tsv", text_a=3, text_b=4, label=0, header="#1 String")
    test = Split("test.tsv", text_a=3, text_b=4, row_id=0, header="#1 String")
