"""AX: the diagnostic set of GLUE, for a classifier trained on MNLI."""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Ax(TsvProcessor):
    """Broad-coverage diagnostics (Wang et al., 2018, arXiv 1804.07461): a test split, no more.

    Predict it with --init_checkpoint or --output_dir of a run trained on MNLI, whose labels it
    has. Columns: index, sentence1, sentence2.
    """

    name = "ax"
    labels = ("contradiction", "entailment", "neutral")
    metrics = ("mcc", "accuracy")
    test = Split("diagnostic.tsv", text_a=1, text_b=2, row_id=0, header="sentence1")
