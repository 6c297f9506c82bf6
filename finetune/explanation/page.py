"""explanations.html: the texts with every word coloured by what it adds; one file, no script.

Rows are filtered and ordered by CSS alone. A word that speaks for the label is blue with a solid
line below it, one that speaks against it orange with a dotted line, so that neither colour vision
nor a printer is needed to tell them apart; the text stays black on it (contrast 8 and above).
"""

import html
from collections.abc import Iterator, Sequence

import numpy as np

from finetune import outputs
from finetune.explanation.explainer import ExplainedText, Explanation, Word
from finetune.explanation.gradients import RELATIVE
from finetune.explanation.table import visible

_LEVELS = 8
_NAMED = 4  # words for and against that are written out below a text
_UNSEEN_SHOWN = 400  # characters
_PALE = 0.25  # full colour is at least this share of what the strongest word of a usual row adds
_FOR, _AGAINST = (107, 174, 214), (253, 174, 97)  # at full strength
_STYLE = """
body{font:16px/1.6 system-ui,sans-serif;color:#111;background:#fff;margin:0 auto;max-width:60rem;
padding:1rem}
h1{font-size:1.4rem;margin:.5rem 0}
p{margin:.4rem 0}
main{display:flex;flex-direction:column}
article{border:1px solid #bbb;border-radius:.4rem;padding:.6rem .9rem;margin:.5rem 0}
article header,article footer,.note{font-size:.85rem;color:#444}
article header b{font-size:1rem;color:#111}
.text{white-space:pre-wrap;overflow-wrap:anywhere;margin:.4rem 0}
.text+.text{border-top:1px dashed #bbb;padding-top:.4rem}
.unseen{color:#666;background:#eee;font-style:italic}
label{border:1px solid #999;border-radius:1rem;padding:.1rem .7rem;margin:.15rem;cursor:pointer;
display:inline-block}
input{position:absolute;opacity:0}
i{font-style:normal;border-radius:.2rem;padding:.1rem 0}
"""


def write(path: str, title: str, ids: Sequence[str], explanations: Sequence[Explanation],
          rows: int) -> None:
    """Writes the page whole or not at all.

    Args:
        path: of the file.
        title: what was explained, for the heading.
        ids: the rows' own ids.
        explanations: of the rows.
        rows: how many rows there are, explained or not.
    """
    outputs.write_text(path, "".join(_page(title, ids, explanations, rows)))


def _page(title: str, ids: Sequence[str], explanations: Sequence[Explanation], rows: int
          ) -> Iterator[str]:
    groups = list(dict.fromkeys(one.prediction for one in explanations
                                if one.confidence is not None))
    if len(groups) < 2:
        groups = []
    yield (f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" '
           f'content="width=device-width">\n<title>{escaped(title)}</title>\n<style>{_STYLE}'
           f'{_levels()}{_choices(len(groups))}</style>\n<h1>{escaped(title)}</h1>\n')
    yield _legend(explanations, rows)
    yield from _buttons(groups, explanations)
    yield "<main>\n"
    doubt = sorted(range(len(explanations)), key=lambda row: explanations[row].confidence or 0)
    floor = least_full(explanations)
    ranks = {row: rank for rank, row in enumerate(doubt)}
    for row, (row_id, one) in enumerate(zip(ids, explanations, strict=True)):
        group = f" g{groups.index(one.prediction)}" if groups else ""
        yield (f'<article class="row{group}" style="--doubt:{ranks[row]}">\n'
               + _header(row_id, one)
               + "".join(marked(text, max(strongest(one), floor)) for text in one.texts)
               + _footer(one) + "</article>\n")
    yield "</main>\n</html>\n"


def _levels() -> str:
    """Returns the styles of the words: f1 to f8 for, a1 to a8 against the label."""
    return "".join(f".{sign}{level}{{{word_style(sign, level)}}}\n" for sign in "fa"
                   for level in range(1, _LEVELS + 1))


def word_style(sign: str, level: int) -> str:
    """Returns the style of a word for ("f") or against ("a") the label, level 1 to 8."""
    full, line = (_FOR, "solid #2166ac") if sign == "f" else (_AGAINST, "dotted #b35806")
    mixed = (round(255 + (part - 255) * level / _LEVELS) for part in full)
    return f"background:rgb({','.join(map(str, mixed))});border-bottom:2px {line}"


def _choices(groups: int) -> str:
    """Returns the styles that filter and order the rows by what is chosen above them."""
    chosen = ["#doubtful", "#all", "#given", *(f"#g{number}" for number in range(groups))]
    rules = [f"{one}:checked~nav label[for={one[1:]}]{{background:#111;color:#fff}}\n"
             f"{one}:focus-visible~nav label[for={one[1:]}]{{outline:3px solid #2166ac}}\n"
             for one in chosen]
    rules += [f"#g{number}:checked~main .row:not(.g{number}){{display:none}}\n"
              for number in range(groups)]
    return "".join(rules) + "#doubtful:checked~main .row{order:var(--doubt)}\n"


def _buttons(groups: Sequence[str], explanations: Sequence[Explanation]) -> Iterator[str]:
    show = [("all", f"all {len(explanations):,}")] + [
        (f"g{number}", f"{group} {sum(one.prediction == group for one in explanations):,}")
        for number, group in enumerate(groups)]
    order = [("given", "as in the file"), ("doubtful", "least confident first")]
    sets = [("show", "Predicted", show)] * bool(groups) + [("order", "Order", order)] * any(
        one.confidence is not None for one in explanations)
    for name, _, buttons in sets:
        for number, (key, _) in enumerate(buttons):
            checked = "" if number else " checked"
            yield f'<input type="radio" name="{name}" id="{key}"{checked}>\n'
    for _, told, buttons in sets:
        yield f"<nav>{told}: " + "".join(
            f'<label for="{key}">{escaped(text)}</label>' for key, text in buttons) + "</nav>\n"


def _legend(explanations: Sequence[Explanation], rows: int) -> str:
    regression = all(one.confidence is None for one in explanations)
    what = "raises the score" if regression else "speaks for the label"
    against = "lowers it" if regression else "speaks against it"
    scale = "".join(f'<i class="a{level}"> &nbsp; </i>' for level in range(_LEVELS, 0, -1))
    scale += "".join(f'<i class="f{level}"> &nbsp; </i>' for level in range(1, _LEVELS + 1))
    lacking = sum(not one.complete for one in explanations)
    told = (f"{len(explanations):,} of {rows:,} rows. " if len(explanations) < rows else
            f"{rows:,} rows. ")
    told += ("In all of them" if not lacking else
             f"In {len(explanations) - lacking:,} of them") + (
        f" the words add up to the difference within {RELATIVE:.0%}"
        + (f"; in {lacking:,} they do not, which is said there." if lacking else "."))
    return (f'<p>{scale} &nbsp; <i class="a5">against</i> (dotted line): {against}; '
            f'<i class="f5">for</i> (solid line): {what}. Full colour is the strongest word of its '
            "row; a row whose words add little, compared with the others, stays pale.</p>\n"
            '<p class="note">Integrated gradients: what each word adds to the '
            f'{"score" if regression else "label’s logit"}, against the same text with every '
            f"token blanked out. {told}</p>\n")


def _header(row_id: str, one: Explanation) -> str:
    sure = "" if one.confidence is None else f" {one.confidence:.0%}"
    label = "" if one.label == one.prediction or one.confidence is None else (
        f" · explained: {escaped(one.label)}")
    return (f"<header>{escaped(row_id)} · <b>{escaped(one.prediction)}</b>{sure}{label} · "
            f"{'score' if one.confidence is None else 'logit'} {one.baseline_logit:.2f} blank → "
            f"{one.logit:.2f}</header>\n")


def marked(text: ExplainedText, full: float) -> str:
    """Returns a text with its words coloured; `full` is the attribution of full colour."""
    parts, shown = [], 0
    unseen, seen_again = text.unseen_part
    for word in text.words:
        if text.unseen and word.start == seen_again:
            parts.append(_unseen(text))
            shown = seen_again
        level = round(_LEVELS * abs(word.attribution) / full) if full else 0
        parts.append(escaped(text.text[shown:word.start]))
        parts.append(f'<i class="{"f" if word.attribution > 0 else "a"}{level}" title="'
                     f'{word.attribution:+.3f}">{escaped(word.text)}</i>' if level else
                     escaped(word.text))
        shown = word.end
    if text.unseen and seen_again == len(text.text):
        parts.append(escaped(text.text[shown:unseen]) + _unseen(text))
    else:
        parts.append(escaped(text.text[shown:]))
    return f'<div class="text" dir="auto">{"".join(parts)}</div>\n'


def _unseen(text: ExplainedText) -> str:
    start, end = text.unseen_part
    more = "" if end - start <= _UNSEEN_SHOWN else " …"
    shown = escaped(text.text[start:min(end, start + _UNSEEN_SHOWN)])
    return (f'<span class="unseen">{shown}{more} '
            f"[not seen by the model: {text.unseen:,} word{'s' * (text.unseen > 1)}]</span>")


def _footer(one: Explanation) -> str:
    told = remarks(one)
    return f"<footer>{told}</footer>\n" if told else ""


def remarks(one: Explanation) -> str:
    """Returns what stands below a row, as HTML: its strongest words, and what to beware of."""
    words = sorted(one.words(), key=lambda word: -abs(word.attribution))
    told = [f"{name}: {', '.join(map(_named, some))}" for name, some in (
        ("for", [word for word in words if word.attribution > 0][:_NAMED]),
        ("against", [word for word in words if word.attribution < 0][:_NAMED])) if some]
    if one.baseline_prediction == one.label:
        told.append("the blanked text is given this label too, so the words explain only what "
                    "they change")
    if not one.complete:
        told.append(f"these do not add up: {one.gap:+.3f} of "
                    f"{one.logit - one.baseline_logit:+.3f} is missing")
    return " · ".join(told)


def _named(word: Word) -> str:
    return f"{escaped(word.text)} {word.attribution:+.2f}"


def least_full(explanations: Sequence[Explanation]) -> float:
    """Returns the attribution that has full colour where none of a row's is larger."""
    return float(np.median([strongest(one) for one in explanations] or [0])) * _PALE


def strongest(one: Explanation) -> float:
    """Returns the largest attribution of a row, whatever its sign."""
    return max((abs(word.attribution) for word in one.words()), default=0.0)


def escaped(text: str) -> str:
    """Returns a text as HTML."""
    return html.escape(visible(text))
