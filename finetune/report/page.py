"""report.html: which sections a kind of task has, and the page around them."""

import dataclasses
from collections.abc import Callable, Sequence

from finetune.report import classification, multilabel, regression, shared
from finetune.report.facts import Facts
from finetune.report.markup import Markup, Section, element, joined, shortened
from finetune.task_kind import TaskKind


@dataclasses.dataclass(frozen=True)
class Kind:
    """The page of a kind of task.

    Attributes:
        sections: in their order; one that has nothing to show returns None.
        rows: the numbers of the rows whose texts they show.
    """

    sections: Sequence[Callable[[Facts], Section | None]]
    rows: Callable[[Facts], list[int]]


KINDS = {
    TaskKind.CLASSIFICATION: Kind(
        (classification.scores, shared.baseline, classification.labels, classification.confusion,
         shared.curves, classification.confidence, classification.highest_losses,
         classification.likely_label_errors, classification.lengths, shared.check, shared.run,
         shared.files),
        classification.shown_rows),
    TaskKind.MULTILABEL: Kind(
        (multilabel.scores, shared.baseline, multilabel.labels, shared.curves,
         multilabel.highest_losses, multilabel.lengths, shared.check, shared.run, shared.files),
        shared.hardest),
    TaskKind.REGRESSION: Kind(
        (regression.scores, shared.baseline, regression.predictions, regression.residuals,
         shared.curves, regression.highest_losses, regression.lengths, shared.check, shared.run,
         shared.files),
        shared.hardest)}

# Whatever a text might hold, the browser runs nothing and loads nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root{color-scheme:light dark;--ink:#111;--soft:#555;--paper:#fff;--line:#ccc;--shade:#f4f4f4;
--one:#2166ac;--two:#b35806;--right:33,102,172;--wrong:230,110,20}
@media(prefers-color-scheme:dark){:root{--ink:#eee;--soft:#aaa;--paper:#16181c;--line:#444;
--shade:#22252b;--one:#7ab8e0;--two:#fdae61;--right:70,140,210;--wrong:200,100,20}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;
max-width:70rem;padding:1rem}
h1{font-size:1.5rem;margin:.5rem 0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}
a{color:var(--one)}
nav a{margin-right:.9rem;white-space:nowrap}
p{margin:.5rem 0;max-width:48rem}
.note,small,figcaption{color:var(--soft);font-size:.85rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin:.5rem 0;font-size:.9rem}
caption{text-align:left;white-space:nowrap;font-weight:600;padding:.2rem 0}
th,td{border:1px solid var(--line);padding:.2rem .6rem;text-align:left;vertical-align:top}
th{background:var(--shade);font-weight:500}
.n{text-align:right;font-variant-numeric:tabular-nums}
.heat{background:rgba(var(--right),calc(var(--share)*.6))}
.wrong{background:rgba(var(--wrong),calc(var(--share)*.6))}
.rows{width:100%}
.rows td:last-child{min-width:18rem}
.rows td:nth-last-child(2){min-width:11rem}
.rows small{overflow-wrap:anywhere}
.text{white-space:pre-wrap;overflow-wrap:anywhere;max-height:12rem;overflow-y:auto}
.text+.text{border-top:1px dashed var(--line)}
pre{background:var(--shade);padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere}
details{margin:.5rem 0}
summary{cursor:pointer;color:var(--one)}
.charts{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;flex:1 1 22rem;max-width:31rem}
figcaption{font-weight:600}
svg{width:100%;height:auto;font:12px system-ui,sans-serif;fill:var(--ink)}
.grid{stroke:var(--line);stroke-width:1}
.line{fill:none;stroke-width:2}
.s1{stroke:var(--one)}
.s2{stroke:var(--two);stroke-dasharray:6 4}
.dot{stroke:none;fill:var(--one)}
.dot.s2{fill:var(--two)}
.bar{fill:var(--one);fill-opacity:.6}
.point{fill:var(--one);fill-opacity:.35}
"""


def page(facts: Facts, kind: TaskKind) -> str:
    """Returns the page of a run; `facts.rows` holds what `KINDS[kind].rows` asks for."""
    sections = [one for make in KINDS[kind].sections if (one := make(facts))]
    title = f"Report: {shortened(facts.config.output_dir, 200)}"
    head = joined([
        Markup('<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
               f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'),
        element("title", title), Markup(f"\n<style>{_STYLE}</style>\n")])
    contents = element("nav", joined((element("a", one.title, href=f"#{one.anchor}")
                                       for one in sections), " "), aria_label="Sections")
    body = joined(element("section", Markup("\n"), element("h2", one.title, id=one.anchor),
                          Markup("\n"), one.body) + "\n" for one in sections)
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}</head>\n<body>\n'
            f'{element("h1", title)}\n{contents}\n<main>\n{body}</main>\n</body>\n</html>\n')
