"""Where in a text its words stand: what the tokenizer made of it, led back to the text as written.

    Splitter(tokenizer).split("Caf\\xe9s crash!")      # Caf\\xe9s (0, 5), crash (6, 11), ! (11, 12)

A word is what BERT's tokenizer takes for one before it cuts pieces: texts are split at blanks and
around punctuation, and every Chinese character is a word. Lower-casing, accents, marks that are
dropped and characters that become several are led back character by character: which words a
character ends, begins or belongs to does not depend on its neighbours (see tokenization.py).
"""

import dataclasses

from finetune.tokenization import Tokenizer


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A word of a text.

    Attributes:
        start, end: the word is text[start:end], as the text was written.
        pieces: how many WordPieces it has; 1 for [UNK].
    """

    start: int
    end: int
    pieces: int


class Splitter:
    """Finds the words of texts.

    Args:
        tokenizer: whose words they are.
    """

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        self._made: dict[str, str] = {}

    def split(self, text: str) -> list[Span]:
        """Returns the words of a text in their order; the pieces of all are the text's.

        Raises:
            ValueError: the words found do not have the text's pieces.
        """
        pieces = [len(ids) for _, ids in self._tokenizer.words(text)]
        places = self._places(text)
        if len(places) != len(pieces):
            raise ValueError(f"{len(places)} words were found where the tokenizer makes "
                             f"{len(pieces)} of {text[:100]!r}")
        found: list[Span] = []
        for (start, end), count in zip(places, pieces, strict=True):
            if found and start < found[-1].end:  # one character became two words
                start, count = found[-1].start, found[-1].pieces + count
                found.pop()
            found.append(Span(start, end, count))
        return found

    def _places(self, text: str) -> list[tuple[int, int]]:
        """Returns (start, end) of each word that the tokenizer makes."""
        places: list[tuple[int, int]] = []
        within = False  # a word that the next character may belong to
        for index, character in enumerate(text):
            made = self._of(character)
            if not made and within:  # an accent of its own: it is shown with its word
                places[-1] = (places[-1][0], index + 1)
            for part in made:
                if part == " ":
                    within = False
                elif within:
                    places[-1] = (places[-1][0], index + 1)
                else:
                    places.append((index, index + 1))
                    within = True
        return places

    def _of(self, character: str) -> str:
        """Returns what becomes of a character, with a blank where it ends a word."""
        if character not in self._made:
            around = self._tokenizer.words(f"x{character}x")
            self._made[character] = " ".join(word for word, _ in around)[1:-1]
        return self._made[character]
