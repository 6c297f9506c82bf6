"""QQP: do two questions ask the same?"""

from processors.base import Split, TsvProcessor
from processors.registry import register


@register
class Qqp(TsvProcessor):
    """Quora Question Pairs (Iyer et al., 2017; GLUE's files).

    Columns: id, qid1, qid2, question1, question2, is_duplicate; in the test file id, question1,
    question2. Some questions of the train and dev files hold a line break, which makes two rows
    or more of one, all too short: those are left out, as all readers of GLUE do, and named.
    """

    name = "qqp"
    labels = ("0", "1")
    metrics = ("f1", "accuracy")
    train = Split("train.tsv", text_a=3, text_b=4, label=5, row_id=0, header="question1",
                  skips_short_rows=True)
    dev = Split("dev.tsv", text_a=3, text_b=4, label=5, row_id=0, header="question1",
                skips_short_rows=True)
    test = Split("test.tsv", text_a=1, text_b=2, row_id=0, header="question1")
