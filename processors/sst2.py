"""SST-2: is the opinion of a film positive?"""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Sst2(TsvProcessor):
    """The Stanford Sentiment Treebank, two classes (Socher et al., 2013; GLUE's files)."""

    name = "sst-2"
    aliases = ("sst2",)
    labels = ("0", "1")
    metrics = ("accuracy",)
    train = Split("train.tsv", text_a=0, label=1, header="sentence")
    dev = Split("dev.tsv", text_a=0, label=1, header="sentence")
    test = Split("test.tsv", text_a=1, row_id=0, header="sentence")
