"""STS-B: how close are two sentences in meaning, from 0 to 5?"""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Stsb(TsvProcessor):
    """The Semantic Textual Similarity Benchmark (Cer et al., 2017, arXiv 1708.00055).

    A regression: the label is a score from 0 to 5. Columns: index, genre, filename, year,
    old_index, two sources, sentence1, sentence2, score (not in the test file).
    """

    name = "sts-b"
    aliases = ("stsb",)
    task_type = "regression"
    metrics = ("pearson_spearman", "pearson", "spearman")
    train = Split("train.tsv", text_a=7, text_b=8, label=9, row_id=0, header="sentence1")
    dev = Split("dev.tsv", text_a=7, text_b=8, label=9, row_id=0, header="sentence1")
    test = Split("test.tsv", text_a=7, text_b=8, row_id=0, header="sentence1")
