"""MNLI-mm: MNLI, scored on genres that training has not seen."""

from processors.base import Split
from processors.mnli import Mnli
from processors.registry import register


@register
class MnliMismatched(Mnli):
    """MNLI with the mismatched dev and test files; training is the same as MNLI's."""

    name = "mnli-mm"
    dev = Split("dev_mismatched.tsv", text_a=8, text_b=9, label=-1, row_id=0, guid=0,
                guid_prefix="dev_mismatched", header="sentence1")
    test = Split("test_mismatched.tsv", text_a=8, text_b=9, row_id=0, guid=0, header="sentence1")
