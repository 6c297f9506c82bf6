"""What was found, as text for people and as values for programs.

    Result(findings, surveys, ...).as_text(), .as_dict()
"""

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from finetune.check import lengths, scores, vocabulary
from finetune.check.catalogue import ABOUT
from finetune.check.findings import Example, Finding, Severity
from finetune.check.survey import Survey
from finetune.long_texts import described
from finetune.options.long_texts import LongTexts
from finetune.tokenization import Tokenizer
from finetune.windows import HEAD

VERSION = 1  # of data_check.json; to be raised when a key gets another meaning
_WIDTH = 100
_MOST_LABELS = 20


@dataclasses.dataclass(frozen=True)
class Result:
    """All that a check has found.

    Attributes:
        findings: problems first.
        surveys: by split.
        tokenizer: the vocabulary.
        max_seq_length: of the run.
        longest: what the model has positions for.
        regression: whether labels are scores.
        seconds: that looking took, without measuring the run.
        long_texts: of the run.
    """

    findings: Sequence[Finding]
    surveys: Mapping[str, Survey]
    tokenizer: Tokenizer
    max_seq_length: int
    longest: int
    regression: bool
    seconds: float
    long_texts: LongTexts = HEAD

    def adding(self, found: Iterable[Finding]) -> "Result":
        """Returns the same with some findings more."""
        return dataclasses.replace(self, findings=sorted_findings([*self.findings, *found]))

    def tokens(self, split: str) -> int:
        """Returns how many tokens of a split are computed, cut or in windows."""
        return int(self.surveys[split].kept(self.max_seq_length, self.long_texts)[1].sum())

    def of(self, severity: Severity) -> list[Finding]:
        """Returns the findings of one severity."""
        return [found for found in self.findings if found.severity is severity]

    def as_dict(self) -> dict[str, Any]:
        """Returns the content of data_check.json, which docs/check.md describes."""
        return {"version": VERSION, "seconds": round(self.seconds, 3),
                "max_seq_length": self.max_seq_length, **described(self.long_texts),
                "counts": {severity.value: len(self.of(severity)) for severity in Severity},
                "findings": [_as_dict(found) for found in self.findings],
                "splits": {split: self._of_split(survey)
                           for split, survey in self.surveys.items()},
                "scripts": vocabulary.pieces_a_word(self.surveys, self.tokenizer)}

    def _of_split(self, survey: Survey) -> dict[str, Any]:
        tokens = np.sort(survey.tokens)
        ranks = {f"p{percent}": int(tokens[-(-tokens.size * percent // 100) - 1])
                 for percent in (50, 90, 95, 99)}
        known = scores.known(survey)
        labels = (scores.distribution(known) if known.size else None) if self.regression else {
            label: count for label, count in survey.counts().items() if count}
        return {"rows": survey.rows, "pairs": survey.pairs,
                "scores" if self.regression else "labels": labels,
                "tokens": {"mean": float(tokens.mean()), **ranks, "max": int(tokens[-1])},
                "lengths": lengths.options(survey, self.longest, self.long_texts),
                "unknown": vocabulary.unknown_rate(survey, self.tokenizer)}

    def as_text(self) -> str:
        """Returns the content of data_check.txt."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        for split, survey in self.surveys.items():
            yield f"{split:<6}{survey.rows:,} rows{self._labels(survey)}"
        for severity in (Severity.PROBLEM, Severity.LOOK):
            for _, group in groupby(self.of(severity), key=lambda found: found.check):
                yield ""
                yield from _paragraph(list(group))
        yield ""
        yield "FINE"
        for found in self.of(Severity.FINE):
            split = f"{found.split}: " if found.split else ""
            yield from textwrap.wrap(
                f"{ABOUT[found.check].title + ':':<31}{split}{found.text}", _WIDTH,
                subsequent_indent=" " * 31, break_on_hyphens=False)
        yield ""
        yield self.summary()

    def _labels(self, survey: Survey) -> str:
        known = scores.known(survey)
        if survey.split == "test" or not known.size:
            return ""
        if self.regression:
            return f": scores from {known.min():g} to {known.max():g}, mean {known.mean():.4g}"
        counts = [f"{label} {count:,}" for label, count in survey.counts().items() if count]
        more = f", ... ({len(counts)} labels)" if len(counts) > _MOST_LABELS else ""
        return ": " + ", ".join(counts[:_MOST_LABELS]) + more

    def summary(self) -> str:
        """Returns how many findings there are, in a sentence."""
        problems, looks = (len(self.of(severity)) for severity in
                           (Severity.PROBLEM, Severity.LOOK))
        return (f"{problems or 'no'} {'problem' if problems == 1 else 'problems'}, {looks} worth a "
                f"look, {len(self.of(Severity.FINE))} fine")


def sorted_findings(found: Iterable[Finding]) -> list[Finding]:
    """Returns findings with the problems first, then in the order of the catalogue."""
    severities, checks = list(Severity), list(ABOUT)
    return sorted(found, key=lambda one: (severities.index(one.severity),
                                          checks.index(one.check)))


def headline(found: Finding) -> str:
    """Returns a finding in a line: severity, what, where, how many."""
    split = f"{found.split}: " if found.split else ""
    severity = "PROBLEM " if found.severity is Severity.PROBLEM else ""
    return f"{severity}{ABOUT[found.check].title}: {split}{found.text}"


def _paragraph(group: Sequence[Finding]) -> Iterator[str]:
    """Yields the lines of one check's findings, which may be of several splits."""
    about = ABOUT[group[0].check]
    yield f"{group[0].severity.value.upper()}: {about.title}"
    yield from _wrapped(about.meaning)
    for found in group:
        split = f"{found.split}: " if found.split else ""
        yield from _wrapped(split + found.text)
        for example in found.examples:
            yield f"    {shown(example)}"
    yield from _wrapped(f"-> {group[0].advice or about.advice}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ",
                         break_long_words=False, break_on_hyphens=False)


def shown(example: Example) -> str:
    """Returns a row of a finding in a line: where, label, the row it is a double of, text."""
    label = "" if example.label is None else f" [{example.label}]"
    double = ""
    if example.double_of:
        there = "" if example.label_there is None else f" [{example.label_there}]"
        double = f" = {example.double_of}{there}"
    return f"{example.where}{label}{double}: {example.text}"


def _as_dict(found: Finding) -> dict[str, Any]:
    about = ABOUT[found.check]
    return {"check": found.check, "title": about.title, "severity": found.severity.value,
            "split": found.split, "text": found.text, "count": found.count, "of": found.of,
            "meaning": about.meaning, "advice": found.advice or about.advice,
            "details": dict(found.details),
            "examples": [dataclasses.asdict(example) for example in found.examples]}
