"""Whether the vocabulary knows the texts: [UNK], scripts, capitals and accents."""

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from finetune.check.findings import Finding, Severity, graded, samples, share
from finetune.check.survey import Survey
from finetune.tokenization import Tokenizer

_UNKNOWN = (0.05, 0.01)  # of the tokens: a problem, worth a look
_IN_USE = 0.01  # of the letters, from which a script is one of the split's
_PIECES = 2.5  # a word; English has 1.2 in an English vocabulary, Russian 5 (letter by letter)
_UNKNOWN_WORDS = 0.1  # of a script
_SHIFT = 0.1  # of the letters
_LOWER = 0.001  # of the letters that could be one are capitals
_ACCENTS = 0.01
_MOST_WORDS = 10
_HAN = ("CJK", "KANGXI")
# First words of Unicode's names of letters, where they are not that of the script.
_STYLES = ("MODIFIER", "FULLWIDTH", "HALFWIDTH", "MATHEMATICAL", "SUPERSCRIPT", "SUBSCRIPT",
           "MICRO", "FEMININE", "MASCULINE", "CIRCLED", "SCRIPT", "DOUBLE-STRUCK", "BLACK-LETTER")


@functools.cache
def script(character: str) -> str | None:
    """Returns the script of a letter: "Latin", "Cyrillic", "Han"; None if it is no letter."""
    if character.isascii():
        return "Latin" if character.isalpha() else None
    if not character.isalpha():
        return None
    words = unicodedata.name(character, "OTHER").split()
    first = next((word for word in words if word not in _STYLES), "OTHER")
    return "Han" if first in _HAN or words[0] in _HAN else first.capitalize()


def scripts(characters: Mapping[str, int]) -> Counter[str]:
    """Returns how many letters there are of each script."""
    found: Counter[str] = Counter()
    for character, count in characters.items():
        name = script(character)
        if name:
            found[name] += count
    return found


def unknown_rate(survey: Survey, tokenizer: Tokenizer) -> float:
    """Returns the share of [UNK] among the tokens of a split."""
    return float(survey.pieces[tokenizer.unk_id] / max(int(survey.pieces.sum()), 1))


def findings(surveys: Mapping[str, Survey], tokenizer: Tokenizer) -> Iterator[Finding]:
    """Yields what the vocabulary makes of the splits."""
    for survey in surveys.values():
        yield from _unknown(survey, tokenizer)
    yield from _scripts(surveys, tokenizer)
    if "train" in surveys:
        yield from _other_scripts(surveys)
    yield from _case(surveys, tokenizer)


def _unknown(survey: Survey, tokenizer: Tokenizer) -> Iterator[Finding]:
    count, total = int(survey.pieces[tokenizer.unk_id]), int(survey.pieces.sum())
    if count:
        rows, first = survey.unknown_rows
        words = {_visible(word): times for word, times in survey.unknown.most_common(_MOST_WORDS)}
        told = ", ".join(f"{word} {times:,}" for word, times in words.items())
        yield Finding(
            "unknown", graded(count, total, *_UNKNOWN), survey.split,
            f"{share(count, total, 'tokens')} are [UNK], in {rows:,} "
            f"{'row' if rows == 1 else 'rows'}; most often: {told}", count, total,
            details={"rows": rows, "words": words}, samples=samples(survey.split, first))


def _visible(word: str) -> str:
    cut = word if len(word) <= 30 else word[:30] + "..."
    return cut if cut.isprintable() else ascii(cut)


def pieces_a_word(surveys: Mapping[str, Survey], tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
    """Returns how the vocabulary spells each script that is in use in any split.

    Returns:
        By script: letters, their share, pieces (of a known word; 0 without such words) and
        unknown, the share of its words that are [UNK].
    """
    letters: Counter[str] = Counter()
    words: Counter[str] = Counter()
    pieces: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for survey in surveys.values():
        letters.update(scripts(survey.characters))
        for word, times in survey.unknown.items():
            unknown[_script_of(word)] += times
    used = sum(survey.pieces for survey in surveys.values())
    tokens = {code: token for token, code in tokenizer.vocab.items()}
    for code in np.flatnonzero(used).tolist():
        if code == tokenizer.unk_id:
            continue
        continues = tokens[code].startswith("##")
        name = _script_of(tokens[code].removeprefix("##"))
        pieces[name] += int(used[code])
        words[name] += 0 if continues else int(used[code])
    total = max(sum(letters.values()), 1)
    return {name: {"letters": count, "share": count / total,
                   "pieces": pieces[name] / words[name] if words[name] else 0.0,
                   "unknown": unknown[name] / max(unknown[name] + words[name], 1)}
            for name, count in letters.most_common() if count >= _IN_USE * total}


def _script_of(word: str) -> str | None:
    return next((name for name in map(script, word) if name), None)


def _scripts(surveys: Mapping[str, Survey], tokenizer: Tokenizer) -> Iterator[Finding]:
    for name, one in pieces_a_word(surveys, tokenizer).items():
        if one["pieces"] < _PIECES and one["unknown"] < _UNKNOWN_WORDS:
            continue
        total = round(one["letters"] / one["share"])
        yield Finding(
            "script", graded(one["letters"], total, 0.1), None,
            f"{share(one['letters'], total, 'letters')} are {name}, which the vocabulary hardly "
            f"has: {100 * one['unknown']:.0f} % of such words are [UNK], the others have "
            f"{one['pieces']:.1f} pieces on average", one["letters"], total, details={name: one})


def _other_scripts(surveys: Mapping[str, Survey]) -> Iterator[Finding]:
    shares = {}
    for split, survey in surveys.items():
        counts = scripts(survey.characters)
        total = max(sum(counts.values()), 1)
        shares[split] = {name: count / total for name, count in counts.items()}
    for split in shares:
        for name in shares[split] if split != "train" else ():
            here, there = shares[split][name], shares["train"].get(name, 0.0)
            if here - there >= _SHIFT:
                total = sum(scripts(surveys[split].characters).values())
                yield Finding("other_script", Severity.LOOK, split,
                              f"{100 * here:.0f} % of the letters are {name}, and "
                              f"{100 * there:.0f} % in train", round(here * total), total)


def _case(surveys: Mapping[str, Survey], tokenizer: Tokenizer) -> Iterator[Finding]:
    characters: Counter[str] = Counter()
    for survey in surveys.values():
        characters.update(survey.characters)
    cased = sum(count for one, count in characters.items() if one.lower() != one.upper())
    capitals = sum(count for one, count in characters.items() if one.isupper())
    if not tokenizer.do_lower_case:
        if cased >= 1000 and capitals < _LOWER * cased:
            yield Finding("casing", Severity.LOOK, None,
                          f"{share(capitals, cased, 'letters')} are capitals: the text is in lower "
                          "case, and the model is a cased one", capitals, cased)
        elif capitals > cased / 2:
            yield Finding("casing", Severity.LOOK, None,
                          f"{share(capitals, cased, 'letters')} are capitals, which a cased "
                          "vocabulary spells in small pieces", capitals, cased)
        return
    if capitals:
        yield Finding("casing", Severity.FINE, None,
                      f"{share(capitals, cased, 'letters')} are capitals and are read as small "
                      "ones", capitals, cased)
    letters = sum(count for one, count in characters.items() if one.isalpha())
    accents = sum(count for one, count in characters.items() if _loses_accent(one))
    if accents:
        yield Finding("accents", graded(accents, letters, 2.0, _ACCENTS), None,
                      f"{share(accents, letters, 'letters')} have an accent and lose it", accents,
                      letters)


def _loses_accent(character: str) -> bool:
    return not character.isascii() and character.isalpha() and any(
        unicodedata.category(part) == "Mn" for part in unicodedata.normalize("NFD", character))
