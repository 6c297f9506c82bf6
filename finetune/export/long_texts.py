"""What a model card tells of texts that are longer than the model's input.

The exported files take token ids, so that cutting and pooling is up to whoever makes those.
"""

from collections.abc import Iterator

from finetune.export.classifier import Classifier
from finetune.options.long_texts import LongTexts
from finetune.task_kind import TaskKind

_UNREAD = {"head": "the end is not read", "tail": "the beginning is not read",
           "head_tail": "a part behind the first quarter of what is read is not read"}


def reading(classifier: Classifier) -> Iterator[str]:
    """Yields how longer texts were read in training, and what is to be done to read them so."""
    settings, length = classifier.long_texts, classifier.max_seq_length
    if settings.window_stride:
        yield from _windows(settings, length, classifier.kind is TaskKind.CLASSIFICATION)
    elif settings.truncation == "tail":
        yield (f"*   Of a longer text the end was kept (`truncation=tail`): its last {length - 2} "
               "tokens; of a pair the last tokens of each text. The files take ids: cut them so. "
               "transformers' tokenizer does it with `truncation=True`, by the `truncation_side` "
               "in `huggingface/tokenizer_config.json`; of a pair it may keep a token less of the "
               "first text and one more of the second.")
    elif settings.truncation == "head_tail":
        head = round(0.25 * (length - 2))
        yield (f"*   Of a longer text beginning and end were kept (`truncation=head_tail`): its "
               f"first {head} and last {length - 2 - head} tokens; of a pair the first quarter and "
               "the last three of what is kept of each text. The files take ids: cut them so. "
               "transformers' tokenizer cannot; it would keep the beginning.")


def _windows(settings: LongTexts, length: int, one_label: bool) -> Iterator[str]:
    pooling = ("the mean of their answers" if settings.window_pooling == "mean" else
               "the highest of their answers" + (", scaled to add up to 1" if one_label else ""))
    yield (f"*   A longer text was read as windows of {length - 2} tokens, each beginning "
           f"{settings.window_stride} tokens behind the one before and the last ending with the "
           f"text; at most {settings.max_windows}, for which a longer one was cut "
           f"(`truncation={settings.truncation}`). Its answer is {pooling}. The files take ids and "
           "answer one window: make the windows and pool the answers, or let `Predictor` of the "
           "run's folder do it.")


def unread(settings: LongTexts) -> str:
    """Returns which part of a text that is too long the model does not see."""
    return _UNREAD[settings.truncation]
