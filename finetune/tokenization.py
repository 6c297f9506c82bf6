"""Exact and fast WordPiece: the original's token ids, from Hugging Face `tokenizers`.

    tokenizer = Tokenizer("checkpoints/minilm/vocab.txt", do_lower_case=True)
    tokenizer.encode(["The quick brown fox", "ah博推zz"])     # ids without [CLS] and [SEP]

What a token is, the original's `FullTokenizer` decides. `tokenizers` (Rust, many texts at a time)
gives the same tokens for any text made of the characters in `EXACT_RANGES`; a text that holds
any other character goes through `FullTokenizer` itself.

Why one table of characters is enough: both sides clean, lower, decompose (NFD), drop accents and
split on blanks and punctuation character by character, so what holds for every character holds
for every string of them. The exceptions to "character by character" are kept out of the table:
the final sigma (`"ΑΣ".lower()` is "ας") and combining marks that NFD may reorder and that are
not dropped afterwards. `tests/test_tokenization.py` compares both sides on every character of
the table; it was made from a scan of all of Unicode on Python 3.10, 3.11, 3.12 and 3.13, whose
Unicode tables (13.0 to 15.1) decide what the original does.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from finetune import upstream
from finetune.errors import UserError

# Characters on which both tokenizers agree, on every Python in range. Left out on purpose: U+03A3
# (final sigma), private use (Rust drops it), U+2B820-2B91F (Rust does not split these ideographs),
# marks, punctuation and capitals that are newer than one of the two Unicode tables, surrogates.
EXACT_RANGES = (
    (0x0000, 0x03A2), (0x03A4, 0x061C),      # Latin, IPA, combining marks, Greek, Cyrillic, Hebrew
    (0x061E, 0x06FF),                        # Arabic
    (0x0900, 0x09FC),                        # Devanagari, Bengali
    (0x0B80, 0x0BFF),                        # Tamil
    (0x0E00, 0x0E7F),                        # Thai
    (0x10A0, 0x11FF),                        # Georgian, Hangul jamo
    (0x1D00, 0x1DBF),                        # phonetic letters
    (0x1E00, 0x2BFF),                        # Vietnamese, old Greek, punctuation, symbols, arrows
    (0x2E80, 0x302D), (0x3030, 0x9FFF),      # CJK punctuation, kana, bopomofo, ideographs
    (0xA960, 0xA97F), (0xAC00, 0xD7FF),      # Hangul
    (0xF900, 0xFFFD),                        # compatibility ideographs and forms, full width
    (0x1D400, 0x1D7FF), (0x1F000, 0x1FBFF),  # mathematical letters, emoji and pictographs
    (0x20000, 0x2A6DF), (0x2A700, 0x2B81F), (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F),  # ideographs
    (0xE0020, 0xE007F), (0xE0100, 0xE01EF),  # tags (flags of regions), variation selectors
)
SPECIAL_TOKENS = ("[UNK]", "[CLS]", "[SEP]")
MAX_CHARS_PER_WORD = 200  # FullTokenizer's; the default of `tokenizers` is 100

_NOT_EXACT = re.compile(
    "[^" + "".join(f"{re.escape(chr(a))}-{re.escape(chr(z))}" for a, z in EXACT_RANGES) + "]")
_MARKER = re.compile(r"\[.*\]|<.*>")  # [PAD], [unused7], <S>: neither cased nor uncased
_CASED_SHARE = 0.05  # of the tokens with letters: 0.31 in the English cased vocabulary, 0.23 in
#                      the multilingual one, exactly 0 in the uncased ones
_BATCH = 1024


def is_exact(text: str) -> bool:
    """Tells whether `tokenizers` and `FullTokenizer` give the same tokens for this text."""
    return text.isascii() or _NOT_EXACT.search(text) is None


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
        self._original = upstream.full_tokenizer(os.fspath(vocab_file), do_lower_case)
        self._fast = _fast_tokenizer(self.vocab, do_lower_case)

    @property
    def vocab_size(self) -> int:
        """Number of different tokens in the vocabulary."""
        return len(self.vocab)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Turns texts into token ids, without [CLS] and [SEP].

        Args:
            texts: any strings; `bytes` are decoded as the original does (UTF-8, errors ignored).

        Returns:
            One list of ids a text, equal to
            `full.convert_tokens_to_ids(full.tokenize(text))` with the original's FullTokenizer.
        """
        return [ids for start in range(0, len(texts), _BATCH)
                for ids in self._encode_batch(texts[start:start + _BATCH])]

    def _encode_batch(self, texts: Sequence[str]) -> Iterator[list[int]]:
        texts = [text.decode("utf-8", "ignore") if isinstance(text, bytes) else text
                 for text in texts]
        exact = [is_exact(text) for text in texts]
        encodings = iter(self._fast.encode_batch_fast(
            [text for text, fast in zip(texts, exact, strict=True) if fast],
            add_special_tokens=False))
        for text, fast in zip(texts, exact, strict=True):
            if fast:
                yield next(encodings).ids
            else:
                tokens = self._original.tokenize(text)
                yield self._original.convert_tokens_to_ids(tokens)

    def fingerprint(self) -> dict[str, str | bool]:
        """What decides this tokenizer's ids, for `records.cached`."""
        tokens = "\n".join(self.vocab).encode("utf-8", "surrogatepass")
        return {"vocab_sha256": hashlib.sha256(tokens).hexdigest(),
                "do_lower_case": self.do_lower_case}


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


def _fast_tokenizer(vocab: dict[str, int], do_lower_case: bool) -> Any:
    """Builds the Rust tokenizer without special tokens: '[MASK]' in a text is text."""
    import tokenizers

    fast = tokenizers.Tokenizer(tokenizers.models.WordPiece(
        vocab, unk_token="[UNK]", max_input_chars_per_word=MAX_CHARS_PER_WORD))
    fast.normalizer = tokenizers.normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=do_lower_case,
        lowercase=do_lower_case)
    fast.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return fast


def _read_vocabulary(path: str) -> tuple[dict[str, int], list[str]]:
    """Reads the vocabulary, or says what is wrong with the file.

    Returns:
        (token -> id, problems); the first is empty if there are problems.
    """
    try:
        content = _read_bytes(path)
    except OSError as error:
        return {}, [f"--vocab_file={path}: cannot be read ({error.strerror or error}). It is the "
                    "vocab.txt that comes with the checkpoint."]
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


def _read_bytes(path: str) -> bytes:
    if "://" not in path:
        with open(path, "rb") as file:
            return file.read()
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
