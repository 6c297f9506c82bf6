"""Exact and fast WordPiece: the original's token ids, at a small part of its time.

    tokenizer = Tokenizer("checkpoints/minilm/vocab.txt", do_lower_case=True)
    tokenizer.encode(["The quick brown fox", "ah博推zz"])     # ids without [CLS] and [SEP]

What a token is, the original's `FullTokenizer` decides. It cleans, lowers, decomposes (NFD), drops
accents and splits on blanks and punctuation character by character; only then it cuts words into
pieces. So it is asked once what becomes of a character, and once for a word, and both answers are
kept: what holds for every character holds for every string of them.

The exceptions to "character by character" are two: the final sigma (`"ΑΣ".lower()` is "ας"), and
combining marks that NFD reorders and that are not dropped afterwards. A text that holds one of
those is split by the original itself.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from finetune import inputs, upstream
from finetune.errors import UserError

SPECIAL_TOKENS = ("[UNK]", "[CLS]", "[SEP]")
MAX_CHARS_PER_WORD = 200  # FullTokenizer's: what is longer is [UNK]

# The original drops control characters, so that none is left to be mistaken for these.
_END = "\x01"  # of a text
_BY_NEIGHBOURS = "\x02"  # in place of a character that is not independent of them
_MARKER = re.compile(r"\[.*\]|<.*>")  # [PAD], [unused7], <S>: neither cased nor uncased
_CASED_SHARE = 0.05  # of the tokens with letters: 0.31 in the English cased vocabulary, 0.23 in
#                      the multilingual one, exactly 0 in the uncased ones
_BATCH = 1024
_WORDS_KEPT = 1 << 18  # some 50 MB


def depends_on_neighbours(character: str) -> bool:
    """Whether what becomes of a character in lower case and NFD may depend on those beside it."""
    return character == "\u03a3" or any(
        unicodedata.combining(part) and unicodedata.category(part) != "Mn"
        for part in unicodedata.normalize("NFD", character.lower()))


class _Characters(dict):
    """Code point -> what the original makes of the character, for `str.translate`.

    A blank stands where the original ends a word.
    """

    def __init__(self, basic: Any):
        super().__init__()
        self._basic = basic
        ascii_texts = {code: self[code] for code in range(128)}
        # One to one, so that Python translates ASCII without a look-up a character; the rest of
        # what becomes of a character, blanks around punctuation, is put in afterwards.
        self._plain = {code: text.strip() or text[:1] or None for code, text in ascii_texts.items()}
        self._plain[ord(_END)] = _END
        self._spaced = [(text.strip(), text) for text in ascii_texts.values() if len(text) > 1]

    def __missing__(self, code: int) -> str:
        character = chr(code)
        made = (_BY_NEIGHBOURS if depends_on_neighbours(character) else
                " ".join(self._basic.tokenize(f"x{character}x"))[1:-1])
        self[code] = made
        return made

    def spaced(self, texts: Sequence[str]) -> list[str]:
        """Returns the texts with their words, as the original makes them, between blanks."""
        plain = [text for text in texts if text.isascii()]
        joined = _END.join(plain)
        if joined.count(_END) >= max(1, len(plain)):  # some text holds one, to be dropped
            joined = _END.join([text.replace(_END, "") for text in plain])
        joined = joined.translate(self._plain)
        for mark, spaced in self._spaced:
            joined = joined.replace(mark, spaced)
        made = iter(joined.split(_END))
        return [next(made) if text.isascii() else self._one(text) for text in texts]

    def _one(self, text: str) -> str:
        made = text.translate(self)
        return " ".join(self._basic.tokenize(text)) if _BY_NEIGHBOURS in made else made


class _Words(dict):
    """Word -> the ids of its pieces: the original's greedy longest match."""

    def __init__(self, vocab: Mapping[str, int], unk_id: int):
        super().__init__()
        self._vocab, self._unknown = vocab, (unk_id,)
        self._longest = max(map(len, vocab))
        self[_END] = (-1,)

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(word) > MAX_CHARS_PER_WORD:
            return self._unknown  # not kept: there is no end to such words
        if len(self) >= _WORDS_KEPT:
            self.clear()
            self[_END] = (-1,)
        self[word] = made = self._pieces(word)
        return made

    def _pieces(self, word: str) -> tuple[int, ...]:
        ids, start, prefix = [], 0, ""
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                found = self._vocab.get(prefix + word[start:end])
                if found is not None:
                    break
            else:
                return self._unknown
            ids.append(found)
            start, prefix = end, "##"
        return tuple(ids)


class Tokenizer:
    """WordPiece with the ids of `FullTokenizer`.

    Attributes:
        vocab: token -> id, as the original's `load_vocab` reads the file.
        do_lower_case: whether text is lowered and loses its accents.
        cls_id, sep_id, unk_id: ids of [CLS], [SEP], [UNK].
    """

    def __init__(self, vocab_file: str | os.PathLike[str], do_lower_case: bool = True):
        """Reads the vocabulary.

        Args:
            vocab_file: one token a line, UTF-8; any path TensorFlow can open.
            do_lower_case: True for an uncased model.

        Raises:
            UserError: the file is missing, not UTF-8, empty, or lacks one of SPECIAL_TOKENS.
        """
        self.vocab, problems = _read_vocabulary(os.fspath(vocab_file))
        if problems:
            raise UserError(problems)
        self.do_lower_case = do_lower_case
        self.unk_id, self.cls_id, self.sep_id = (self.vocab[token] for token in SPECIAL_TOKENS)
        self._characters = _Characters(upstream.tokenization().BasicTokenizer(do_lower_case))
        self._words = _Words(self.vocab, self.unk_id)

    @property
    def vocab_size(self) -> int:
        """Number of different tokens in the vocabulary."""
        return len(self.vocab)

    def encode(self, texts: Sequence[str | bytes]) -> list[list[int]]:
        """Turns texts into token ids, without [CLS] and [SEP].

        Args:
            texts: any strings; `bytes` are decoded as the original does (UTF-8, errors ignored).

        Returns:
            One list of ids a text, equal to
            `full.convert_tokens_to_ids(full.tokenize(text))` with the original's FullTokenizer.
        """
        ids, lengths = self.encode_flat(texts)
        return [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])][:len(texts)]

    def encode_flat(self, texts: Sequence[str | bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Does the same as `encode` for many texts, without a list a text.

        Returns:
            (int32[T], the ids of all texts, one behind the other; int64[N], how many each has).
        """
        parts = [self._encode_batch(texts[start:start + _BATCH])
                 for start in range(0, max(1, len(texts)), _BATCH)]
        ids, lengths = zip(*parts, strict=True)
        return np.concatenate(ids), np.concatenate(lengths)

    def _encode_batch(self, texts: Sequence[str | bytes]) -> tuple[np.ndarray, np.ndarray]:
        texts = [text.decode("utf-8", "ignore") if isinstance(text, bytes) else text
                 for text in texts]
        words = f" {_END} ".join([*self._characters.spaced(texts), ""]).split()
        ids = np.fromiter(chain.from_iterable(map(self._words.__getitem__, words)), np.int32)
        ends = np.flatnonzero(ids < 0)
        return ids[ids >= 0], np.diff(ends, prepend=-1) - 1

    def words(self, text: str) -> list[tuple[str, tuple[int, ...]]]:
        """Returns the words that the original makes of a text, each with the ids of its pieces."""
        return [(word, self._words[word]) for word in self._characters.spaced([text])[0].split()]

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """Returns the words of some texts that have no pieces, each as often as it occurs."""
        unknown = (self.unk_id,)
        return [word for word in " ".join(self._characters.spaced(texts)).split()
                if self._words[word] == unknown]

    def fingerprint(self) -> dict[str, str | bool]:
        """What decides this tokenizer's ids, for `records.cached`."""
        tokens = "\n".join(self.vocab).encode("utf-8", "surrogatepass")
        return {"vocab_sha256": hashlib.sha256(tokens).hexdigest(),
                "do_lower_case": self.do_lower_case,
                "unicode": unicodedata.unidata_version}  # Python's tables, which the original asks


def vocabulary_casing(vocab: Mapping[str, int]) -> str | None:
    """Recognises from its tokens whether a vocabulary is cased.

    Args:
        vocab: token -> id. Markers such as [CLS] and [unused7] do not count.

    Returns:
        "cased" if a good share of the tokens with letters holds capitals, "uncased" if none does,
        None where it cannot be told (no letters with a case, or just a few capitals).
    """
    words = [token for token in vocab if not _MARKER.fullmatch(token)]
    lower_or_upper = sum(token.lower() != token.upper() for token in words)
    capitals = len(_with_capitals(words))
    if not lower_or_upper:
        return None
    if not capitals:
        return "uncased"
    return "cased" if capitals / lower_or_upper >= _CASED_SHARE else None


def vocabulary_problems(vocab_file: str | os.PathLike[str], do_lower_case: bool) -> list[str]:
    """Checks a vocabulary file and whether --do_lower_case suits it.

    Args:
        vocab_file: as for Tokenizer.
        do_lower_case: the flag's value.

    Returns:
        Complete messages; empty if all is well.
    """
    path = os.fspath(vocab_file)
    vocab, problems = _read_vocabulary(path)
    casing = None if problems else vocabulary_casing(vocab)
    if casing == "cased" and do_lower_case:
        capitals = _with_capitals(token for token in vocab if not _MARKER.fullmatch(token))
        words = sorted((token for token in capitals if token.isalpha()), key=len, reverse=True)
        problems.append(
            f"--do_lower_case=True does not suit --vocab_file={path}: it is a cased vocabulary, "
            f"{len(capitals):,} of its {len(vocab):,} tokens hold capitals (for example "
            f"{_some(words or capitals)}) and could never be met. Pass --do_lower_case=False, or "
            "use an uncased checkpoint.")
    elif casing == "uncased" and not do_lower_case:
        words = sorted((token for token in vocab if token.isalpha()), key=len, reverse=True)
        problems.append(
            f"--do_lower_case=False does not suit --vocab_file={path}: it is an uncased "
            f"vocabulary, none of its {len(vocab):,} tokens holds a capital (for example "
            f"{_some(words)}), so that every word with one would become [UNK]. Pass "
            "--do_lower_case=True, or use a cased checkpoint.")
    return problems


def _with_capitals(words: Iterable[str]) -> list[str]:
    return [word for word in words if word.lower() != word]


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:4])


def _read_vocabulary(path: str) -> tuple[dict[str, int], list[str]]:
    """Reads the vocabulary, or says what is wrong with the file.

    Returns:
        (token -> id, problems); the first is empty if there are problems.
    """
    try:
        content = inputs.read_bytes(path)
    except OSError as error:
        why = inputs.why_unreadable(path, error)
        return {}, [f"--vocab_file={path}: {why}" + (
            "" if why.endswith("?") else "; it is the vocab.txt that comes with the checkpoint")]
    if not content:
        return {}, [f"--vocab_file={path}: is empty; it has to hold one token a line."]
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return {}, [f"{path}:{line}: byte 0x{content[error.start]:02x} is not UTF-8; "
                    "--vocab_file has to be a UTF-8 text with one token a line."]
    vocab = upstream.load_vocab(path)
    if not any(vocab):
        return {}, [f"--vocab_file={path}: is empty; it has to hold one token a line."]
    missing = [token for token in SPECIAL_TOKENS if token not in vocab]
    if missing:
        hint = "Is it the vocab.txt that comes with the checkpoint?"
        if all(token.lower() in vocab for token in missing):
            hint = "It spells them in lower case: change those lines and leave their order alone."
        return {}, [f"--vocab_file={path}: lacks {', '.join(missing)} among its {len(vocab):,} "
                    f"tokens. {hint}"]
    return vocab, []
