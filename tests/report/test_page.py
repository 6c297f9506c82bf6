"""The page: nothing of the data can break it, it stays small, a browser opens it in peace."""

import dataclasses
import html.parser
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from finetune import metrics, outputs
from finetune.members import folder as members
from finetune.report import shared
from finetune.report.curves import Curve
from finetune.report.facts import of_folder
from finetune.report.markup import Markup, element, escaped, joined, table
from finetune.report.page import KINDS, page
from finetune.task_kind import Labels, TaskKind
from tests.report.conftest import ANSWERS, LABELS, TRUTH, facts, headings

ATTACKS = ["<script>document.title='broken'</script>", "\"' onmouseover=alert(1) x=\"",
           "</title></style></table></svg><img src=http://elsewhere.invalid/x>", "<!-- ", "]]>",
           "&lt;b&gt;", "<td style=\"--share:1\">", "\u202egnp.exe\ud800\x00",
           "javascript:alert(1)", "{}%s$&\\1"]
VOID = {"meta", "br"}


class Tree(html.parser.HTMLParser):
    """Checks that elements are nested, and collects tags, attributes and text."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = set(), [], [], []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def attacked(folder):
    """Returns the page of a run of which every text is an attack, those of its files too."""
    attack = "".join(ATTACKS)
    finding = {"severity": "problem", "title": attack, "split": attack, "text": attack,
               "advice": attack}
    run = dict.fromkeys(("command", "started", "seed", "engine", "device", "start", "python"),
                        attack)
    run |= {"versions": {attack: attack}, "data": {attack: {"path": attack}}}
    (folder / outputs.DATA_CHECK_JSON).write_text(json.dumps({"findings": [finding]}))
    (folder / outputs.RUNS).write_text(json.dumps([run, run]))
    (folder / outputs.BASELINE).write_text(f"accuracy = 0.5\nf1[{ATTACKS[0]}] = x\n")
    return page(facts(folder, labels=[f"{one}{attack}" for one in LABELS],
                      texts=[f"{row}{attack}" for row in range(8)]), TaskKind.CLASSIFICATION)


def test_no_text_of_data_labels_or_files_becomes_markup(tmp_path):
    plain, evil = page(facts(tmp_path), TaskKind.CLASSIFICATION), attacked(tmp_path)
    tree = Tree(evil)
    assert tree.tags - Tree(plain).tags <= {"details", "summary", "pre", "code"}
    assert not tree.tags & {"script", "img", "link", "iframe", "object", "base", "form"}
    names = {name for name, _ in tree.attributes}
    assert not {name for name in names if name.startswith("on")} and "src" not in names
    assert all(re.fullmatch(r"#[\w-]+|[\w./]+", value) for name, value in tree.attributes
               if name == "href")
    text = "".join(tree.text)
    for attack in ATTACKS:
        shown = attack.replace("\ud800", "\ufffd").replace("\x00", "\ufffd")
        assert text.count(shown) > 8, attack
    evil.encode("utf-8")


def test_what_is_no_markup_is_escaped_wherever_it_goes():
    assert escaped("<b>") == "&lt;b&gt;" == escaped(escaped("<b>"))
    assert joined([Markup("<b>"), "<i>"], "<") == "<b>&lt;&lt;i&gt;"
    assert Markup("<b>") + "<i>" == "<b>&lt;i&gt;" and isinstance(Markup("") + "", Markup)
    assert element("p", "<", 1, class_='"', x_y="a", none=None) == (
        '<p class="&quot;" x-y="a">&lt;1</p>')
    assert "<td>&lt;td class" in table("", ["a", "b"], [["x", "<td class"]])


def test_sections_of_each_kind(tmp_path):
    assert set(KINDS) == set(TaskKind)
    content = page(facts(tmp_path), TaskKind.CLASSIFICATION)
    assert len(re.findall("</h2>\n<p>[A-Z0-9][^<]*</p>", content)) == len(headings(content))
    assert headings(content) == [
        "Scores on dev", "By label", "Confusion", "Confidence", "Highest loss",
        "Likely label errors", "Errors by length", "The run", "Other files"]
    regression = facts(tmp_path, truth=np.arange(8, dtype=np.float32), labels=["score"],
                       answers=np.arange(8, dtype=np.float32)[::-1, None],
                       kind=TaskKind.REGRESSION)
    assert headings(page(regression, TaskKind.REGRESSION)) == [
        "Scores on dev", "Predictions", "Residuals", "Highest loss", "Errors by length", "The run",
        "Other files"]


def test_a_multi_label_page(tmp_path):
    """Two rows of three labels; the threshold that finds <docs> in one gives it the other, too."""
    truth = np.array([[1, 1, 0], [0, 0, 1]], np.uint8)
    answers = np.array([[.9, .2, .1], [.1, .6, .7]], np.float32)
    content = page(facts(tmp_path, truth, answers, ["ui", "<docs>", "api"], TaskKind.MULTILABEL),
                   TaskKind.MULTILABEL)
    assert headings(content) == ["Scores on dev", "By label", "Highest loss", "Errors by length",
                                 "The run", "Other files"]
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", content))
    assert "right ui 0.90 , &lt;docs&gt; 0.20 example dev-0" in text
    assert "wrong &lt;docs&gt; 0.60 api 0.70 example dev-1" in text
    assert "the truth (1 answered wrong, 1 right)" in text
    # Rows; precision, recall and F1 at 0.5; the threshold, and the same three at it.
    assert "ui 1 1.0000 1.0000 1.0000 0.5000 1.0000 1.0000 1.0000" in text
    assert "&lt;docs&gt; 1 0.0000 0.0000 0.0000 0.1000 0.5000 1.0000 0.6667" in text
    assert "Predictions use the fitted thresholds" in text
    assert "accuracy 0.7500 0.5000 share of rows with exactly the right labels" in text
    Tree(content)


def test_the_numbers_of_a_small_run_are_in_it(tmp_path):
    content = page(facts(tmp_path), TaskKind.CLASSIFICATION)
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", content))
    assert "6 of 8 rows are right" in text and "84" in text
    assert "Likely label errors, 1 of 1 label suggested" in text
    # Row 5, the hardest: -log .05; then the row whose own label got .4.
    assert "2.9957 wrong bug feature 0.0500 0.9000 example dev-4 id id4 text 4" in text
    assert text.index("text 4") < text.index("text 7")
    assert "0.1054 right bug bug 0.9000 0.9000 example dev-0" in text
    assert "furthest from the truth (2 answered wrong, 6 right), the hardest first" in text
    twice = page(facts(tmp_path, np.tile(TRUTH, 2), np.tile(ANSWERS, (2, 1))),
                 TaskKind.CLASSIFICATION)
    assert "The 10 of 16 dev rows" in twice and "(4 answered wrong, 6 right)" in twice
    marks = re.findall(r'<td class="heat( wrong)?" [^>]*>(\w+)</td>', content)
    assert marks == [(" wrong", "wrong")] * 2 + [("", "right")] * 6
    assert "bug 0.6667 0.6667 0.6667 3" in text  # of label bug two of three, both ways
    heat = re.findall(r"--share:([\d.]+)[^>]*>(\d+)<", content)
    assert heat[:3] == [("0.667", "2"), ("0.333", "1"), ("0.000", "0")]


def test_every_metric_is_explained(tmp_path):
    for labels in (["a", "b"], Labels(["score"], TaskKind.REGRESSION),
                   Labels(["a", "b"], TaskKind.MULTILABEL)):
        assert set(metrics.names(labels)) <= set(shared.METRICS)
    content = page(facts(tmp_path), TaskKind.CLASSIFICATION)
    assert f'>{shared.METRICS["accuracy"]}</td>' in content


def test_a_model_of_several_says_so(tmp_path):
    """The dev rows of a fold are rows of the training split."""
    folder = tmp_path / "fold-2"
    folder.mkdir()
    made = {}
    for kind in (members.KFOLD, members.ENSEMBLE):
        members.write(str(tmp_path), kind, ["fold-1", "fold-2"], {})
        made[kind] = page(facts(folder), TaskKind.CLASSIFICATION)
    assert "one of the 2 models of --kfold: its dev rows are those training rows" in made["kfold"]
    assert "one of the 2 models of --ensemble; how they score" in made["ensemble"]
    assert "one of the 2" not in page(facts(tmp_path), TaskKind.CLASSIFICATION)
    for damaged in ('{"kind": "kfold"', '{"kind": "kfold", "members": [3], "finished": {}}'):
        (tmp_path / members.FILE).write_text(damaged)
        told = page(facts(folder), TaskKind.CLASSIFICATION)
        assert f"one of several models is not known. {tmp_path / members.FILE}: " in told
        assert "one of the 2" not in told


def test_a_model_of_several_says_so_on_remote_storage_too():
    above = "ram://report-of-several"
    tf.io.gfile.makedirs(f"{above}/seed-42")
    members.write(above, members.ENSEMBLE, ["seed-42", "seed-43"], {})
    for folder in (f"{above}/seed-42", f"{above}/seed-42/"):
        assert "one of the 2 models" in of_folder(folder, None).member


def test_a_single_step_makes_no_curve(tmp_path):
    def charts_of(steps):
        return training_of(tmp_path, **{"dev/accuracy": Curve(*np.ones((2, 1)))}, steps=steps)

    assert "<svg" not in charts_of(1) and "makes no curve" in charts_of(1)
    assert charts_of(2).count("<svg") == 2  # dev was evaluated once


def training_of(folder, steps=2, **more):
    """Returns the section on the training of so many steps; more: other curves by their tags."""
    made, curve = facts(folder), Curve(np.arange(1, steps + 1), np.full(steps, 0.5))
    curves = {"loss": curve, "learning_rate": curve, **more}
    made = dataclasses.replace(made, folder=dataclasses.replace(made.folder, curves=curves))
    return page(made, TaskKind.CLASSIFICATION).split('id="training"')[1].split("</section>")[0]


def test_the_curve_of_dev_is_spoken_of_where_it_is(tmp_path):
    assert "dev" not in training_of(tmp_path)
    with_dev = training_of(tmp_path, **{"dev/loss": Curve(np.array([1, 2]), np.array([0.5, 0.4]))})
    assert "dev is without it" in with_dev


def test_the_sign_test_stands_beside_the_baseline(tmp_path):
    (tmp_path / outputs.BASELINE).write_text("accuracy = 0.5\n")
    made = facts(tmp_path)
    assert "sign test" not in page(made, TaskKind.CLASSIFICATION)
    told = page(dataclasses.replace(made, verdict="BERT alone: <5"), TaskKind.CLASSIFICATION)
    assert "<p>BERT alone: &lt;5 (sign test, at 5 %).</p>" in told


def test_many_rows_labels_and_long_texts_make_no_large_page(tmp_path):
    draw, rows, count = np.random.default_rng(1), 3000, 400
    answers = draw.dirichlet(np.ones(count), rows).astype(np.float32)
    made = facts(tmp_path, draw.integers(0, count, rows).astype(np.int32), answers,
                 ["<&>" * 300 + str(label) for label in range(count)],
                 texts=["<&\"'>" * 50_000] * rows)
    content = page(made, TaskKind.CLASSIFICATION)
    assert len(content.encode()) < 1_000_000
    assert "100 labels with the lowest F1 of 400" in content
    assert "matrix of 400 labels is in confusion_matrix.tsv" in content


def test_a_browser_opens_it_and_asks_for_nothing(tmp_path, browse):
    path = tmp_path / outputs.REPORT
    path.write_text(attacked(tmp_path), encoding="utf-8")
    dom, logged, asked = browse(path)
    assert headings(dom)[0] == "Scores on dev" and headings(dom)[-1] == "Other files"
    assert dom.count("<svg") == plain_charts(tmp_path)
    assert "CONSOLE" not in logged and "<title>broken" not in dom
    assert path.name in asked and "elsewhere" not in asked


def plain_charts(folder):
    return page(facts(folder), TaskKind.CLASSIFICATION).count("<svg")


def test_the_policy_stops_what_slips_through(tmp_path, browse):
    content = page(facts(tmp_path), TaskKind.CLASSIFICATION)
    slipped = content.replace("</main>", "<img src='http://elsewhere.invalid/x'>"
                              "<script>document.title='ran'</script></main>")
    (tmp_path / "slipped.html").write_text(slipped, encoding="utf-8")
    dom, logged, asked = browse(tmp_path / "slipped.html")
    assert "<title>ran" not in dom and "elsewhere" not in asked and "CONSOLE" in logged
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", slipped)
    (tmp_path / "free.html").write_text(free, encoding="utf-8")
    dom, _, asked = browse(tmp_path / "free.html")  # these tests can fail
    assert "<title>ran" in dom and "http://elsewhere.invalid/x" in asked


@pytest.mark.parametrize(("answers", "truth"), [
    (ANSWERS[:1], TRUTH[:1]), (np.full((4, 3), 1 / 3, np.float32), np.zeros(4, np.int32)),
    (np.eye(3, dtype=np.float32), np.arange(3, dtype=np.int32))], ids=["one", "alike", "perfect"])
def test_odd_splits(tmp_path, answers, truth):
    Tree(page(facts(tmp_path, truth, answers), TaskKind.CLASSIFICATION))


def test_a_regression_that_knows_one_score(tmp_path):
    Tree(page(facts(tmp_path, np.full(4, 2.5, np.float32), np.full((4, 1), 2.5, np.float32),
                    ["score"], TaskKind.REGRESSION), TaskKind.REGRESSION))
