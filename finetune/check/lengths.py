"""How long the texts are in tokens, and what is lost where they are cut."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from finetune.check.findings import Finding, Severity, samples, share
from finetune.check.survey import Survey
from finetune.options.long_texts import LongTexts
from finetune.windows import HEAD

LADDER = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_CUT = 0.01  # of the rows: enough to be worth a look, and what a good length leaves
_LOST = 0.25  # of the tokens
_DEAR = 1.25  # times the tokens: what a length costs that may not be worth it
_ELSE = ("--truncation=tail or head_tail keeps another part, --window_stride reads all "
         "(docs/long_texts.md).")


def options(survey: Survey, longest: int, long_texts: LongTexts = HEAD
            ) -> list[dict[str, Any]]:
    """Returns for each length that could be chosen what it would cut.

    Args:
        longest: what the model has positions for.
        long_texts: of the run.

    Returns:
        Rising: max_seq_length, rows_cut, tokens_lost (of all), tokens (mean of what is computed).
    """
    tokens = survey.tokens.astype(np.int64)
    found = []
    for length in (*(one for one in LADDER if one < longest), longest):
        read, computed = survey.kept(length, long_texts)
        found.append({"max_seq_length": length, "rows_cut": int((tokens > read).sum()),
                      "tokens_lost": int((tokens - read).sum()) / max(int(tokens.sum()), 1),
                      "tokens": float(computed.mean())})
    return found


def findings(surveys: Mapping[str, Survey], max_seq_length: int, longest: int,
             long_texts: LongTexts) -> Iterator[Finding]:
    """Yields what is cut in each split.

    Args:
        max_seq_length: of the run.
        longest: what the model has positions for.
        long_texts: of the run.
    """
    to = (f"{long_texts.max_windows} windows of " if long_texts.window_stride else "")
    kind = "" if long_texts.truncation == "head" else f" ({long_texts.truncation})"
    for survey in surveys.values():
        read, _ = survey.kept(max_seq_length, long_texts)
        rows = np.flatnonzero(survey.tokens > read)
        if not rows.size:
            continue
        lost = int((survey.tokens - read).sum())
        total = int(survey.tokens.sum(dtype=np.int64))
        severity = (Severity.PROBLEM if lost >= _LOST * total else
                    Severity.LOOK if rows.size >= _CUT * survey.rows else Severity.FINE)
        worst = rows[np.argsort(-survey.tokens[rows], kind="stable")]
        yield Finding(
            "truncation", severity, survey.split,
            f"{share(rows.size, survey.rows)} are cut to {to}{max_seq_length} tokens{kind}: "
            f"{share(lost, total, 'tokens')} are lost; the longest has "
            f"{int(survey.tokens.max()):,}", rows.size, survey.rows,
            advice=_advice(survey, max_seq_length, longest, long_texts),
            details={"tokens_lost": lost, "tokens": total}, samples=samples(survey.split, worst))


def _advice(survey: Survey, max_seq_length: int, longest: int, long_texts: LongTexts) -> str:
    if long_texts.window_stride:
        return ("A larger --max_windows reads more, and costs as much more; of pairs the shorter "
                "text is cut to half of --max_seq_length.")
    now = float(np.minimum(survey.tokens, max_seq_length).mean())
    best = next((one for one in options(survey, longest, long_texts)
                 if one["max_seq_length"] > max_seq_length
                 and one["rows_cut"] <= _CUT * survey.rows), None)
    if best:
        cut = share(best["rows_cut"], survey.rows) if best["rows_cut"] else "none"
        times = best["tokens"] / now
        return (f"--max_seq_length={best['max_seq_length']} cuts {cut}, for {times:.2f} times the "
                f"tokens to compute." + (f" At --max_seq_length={max_seq_length} {_ELSE}"
                                         if times >= _DEAR else ""))
    if max_seq_length < longest:
        most = options(survey, longest, long_texts)[-1]
        return (f"Even --max_seq_length={longest}, all that the model has positions for, cuts "
                f"{share(most['rows_cut'], survey.rows)}, with {most['tokens'] / now:.2f} times "
                f"the tokens to compute. {_ELSE}")
    return f"The model has positions for {longest} tokens and no more. {_ELSE}"
