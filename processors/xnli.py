"""XNLI: MNLI in fifteen languages."""

from collections.abc import Sequence

from processors.base import Split, TsvProcessor
from processors.errors import DataError, suggestion
from processors.registry import register

LANGUAGES = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi",
             "zh")


@register
class Xnli(TsvProcessor):
    """Cross-lingual Natural Language Inference (Conneau et al., 2018, arXiv 1809.05053).

    One language at a time, trained on machine-translated MNLI (XNLI-MT). Dev and test hold the
    rows of all languages; the original has no test. The official test file has labels: they are
    kept in the examples.
    """

    name = "xnli"
    labels = ("contradiction", "entailment", "neutral")
    metrics = ("accuracy",)

    def __init__(self, *, language: str = "zh", labels: Sequence[str] | None = None,
                 header: str | bool = "auto", encoding: str = "utf-8"):
        """See base class; language is one of LANGUAGES, the original's is "zh"."""
        super().__init__(labels=labels, header=header, encoding=encoding)
        if language not in LANGUAGES:
            raise DataError(f"--language={language} is not one of {', '.join(LANGUAGES)}"
                            f"{suggestion(language, LANGUAGES)}")
        self.train = Split(f"multinli/multinli.train.{language}.tsv", text_a=0, text_b=1, label=2,
                           header="premise", renamed={"contradictory": "contradiction"})
        self.dev = Split("xnli.dev.tsv", text_a=6, text_b=7, label=1, row_id=9,
                         header="sentence1", only=(0, language))
        self.test = Split("xnli.test.tsv", text_a=6, text_b=7, label=1, row_id=9,
                          header="sentence1", only=(0, language))
