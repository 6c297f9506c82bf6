"""Explanations as a notebook shows them: part of its page, so every style stands in its own tag."""

import re

from finetune.explanation import page
from finetune.explanation.explainer import Explanation


class Explanations(list[Explanation]):
    """A list of explanations, which a notebook shows in the colours of explanations.html."""

    def _repr_html_(self) -> str:
        least = page.least_full(self)
        return "".join(_row(one, max(page.strongest(one), least)) for one in self)


def _row(one: Explanation, full: float) -> str:
    sure = "" if one.confidence is None else f" {one.confidence:.0%}"
    other = "" if one.label == one.prediction or one.confidence is None else (
        f" (explained: {page.escaped(one.label)})")
    texts = "".join(page.marked(text, full) for text in one.texts)
    return (f'<div style="margin:.6em 0;line-height:1.7"><b>{page.escaped(one.prediction)}</b>'
            f"{sure}{other}{_with_styles(texts)}<small>{page.remarks(one)}</small></div>\n")


def _with_styles(marked: str) -> str:
    """Puts styles in the place of the page's classes; in a text, which is escaped, stand none."""
    marked = re.sub(r'<i class="([fa])(\d)"', lambda word: (
        f'<i style="font-style:normal;color:#111;{page.word_style(word[1], int(word[2]))}"'),
        marked)
    return marked.replace('class="text"', 'style="white-space:pre-wrap"').replace(
        'class="unseen"', 'style="opacity:.6;font-style:italic"')
