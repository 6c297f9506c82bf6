"""Explanations as a notebook shows them: part of its page, so every style stands in its own tag."""

from finetune.explanation import page
from finetune.explanation.explainer import ExplainedText, Explanation


class Explanations(list[Explanation]):
    """A list of explanations, which a notebook shows in colours: those of explanations.html."""

    def _repr_html_(self) -> str:
        least = page.least_full(self)
        return "".join(_row(one, max(page.strongest(one), least)) for one in self)


def _row(one: Explanation, full: float) -> str:
    sure = "" if one.confidence is None else f" {one.confidence:.0%}"
    other = "" if one.label == one.prediction or one.confidence is None else (
        f" (explained: {page.escaped(one.label)})")
    texts = " &nbsp;|&nbsp; ".join(_marked(text, full) for text in one.texts)
    return (f'<div style="margin:.6em 0;line-height:1.7"><b>{page.escaped(one.prediction)}</b>'
            f"{sure}{other}: {texts}<br><small>{page.remarks(one)}</small></div>\n")


def _marked(text: ExplainedText, full: float) -> str:
    parts, shown = [], 0
    for word in text.words:
        parts.append(page.escaped(text.text[shown:word.start]))
        style = page.word_style(word, full)
        parts.append(f'<span style="{style};color:#111" title="{word.attribution:+.3f}">'
                     f"{page.escaped(word.text)}</span>" if style else page.escaped(word.text))
        shown = word.end
    parts.append(page.escaped(text.text[shown:text.seen_until]))
    if text.unseen:
        parts.append(f'<i style="opacity:.6">{page.escaped(text.text[text.seen_until:][:400])} '
                     f"[not seen by the model: {text.unseen:,} words]</i>")
    return "".join(parts)
