"""report.html: which sections a kind of task has, and the page around them."""

import dataclasses
from collections.abc import Callable, Sequence

from finetune.report import classification, multilabel, regression, shared, style
from finetune.report.facts import Facts
from finetune.report.markup import Markup, Section, element, joined, paragraph, shortened
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


def page(facts: Facts, kind: TaskKind) -> str:
    """Returns the page of a run; `facts.rows` holds what `KINDS[kind].rows` asks for."""
    sections = [one for make in KINDS[kind].sections if (one := make(facts))]
    title = f"Report: {shortened(facts.config.output_dir, 200)}"
    head = joined([
        Markup('<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
               f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'),
        element("title", title), Markup(f"\n<style>{style.page()}</style>\n")])
    contents = element("nav", joined((element("a", one.title, href=f"#{one.anchor}")
                                       for one in sections), " "), aria_label="Sections")
    body = joined(element("section", Markup("\n"), element("h2", one.title, id=one.anchor),
                          Markup("\n"), paragraph(one.lead), one.body) + "\n" for one in sections)
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}</head>\n<body>\n'
            f'{element("h1", title)}\n{_lead(facts)}{contents}\n<main>\n{body}</main>\n'
            '</body>\n</html>\n')


def _lead(facts: Facts) -> Markup:
    said = [f"What a model learned, and where it errs: after {facts.step:,} steps it answered "
            f"the {len(facts.truth):,} rows of dev. Whether one of them was trained on, --do_check "
            "tells."]
    if facts.folder.member:
        said.append(facts.folder.member)
    return paragraph(" ".join(said))
