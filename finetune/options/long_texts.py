"""What becomes of texts that are longer than the model's input: docs/long_texts.md.

Whatever makes features takes these settings; a RunConfig has them, too.
"""

import dataclasses

from finetune.options.declaration import setting

GROUP = "Long texts"
TRUNCATIONS, POOLINGS = ("head", "tail", "head_tail"), ("mean", "max")


@dataclasses.dataclass(frozen=True)
class LongTexts:
    """The flags under "Long texts"."""

    truncation: str = setting(
        GROUP, "Which tokens of a text longer than --max_seq_length are kept: head, the first, as "
        "in the original; tail, the last; head_tail, a quarter from its beginning, the rest from "
        "its end (docs/long_texts.md).", "head", choices=TRUNCATIONS)
    window_stride: int = setting(
        GROUP, "Read a longer text as windows of --max_seq_length tokens, each beginning so many "
        "tokens behind the one before: all are trained on, and their answers become one. 0: the "
        "text is cut.", 0)
    window_pooling: str = setting(
        GROUP, "How the answers of a text's windows become one: their mean, or of each label the "
        "highest (docs/long_texts.md).", "mean", choices=POOLINGS)
    max_windows: int = setting(
        GROUP, "Windows of a text at most; a text too long for so many is cut to what they hold, "
        "as --truncation says.", 32)


NAMES = tuple(field.name for field in dataclasses.fields(LongTexts))
OF_WINDOWS = ("window_pooling", "max_windows")  # they mean nothing without window_stride
