"""explanations.html: every text escaped, every word marked; what a browser makes of it."""

import dataclasses
import html.parser
import re
import shutil
import subprocess

import pytest

from finetune import outputs
from finetune.explanation import page, table
from finetune.explanation.explainer import ExplainedText, Explanation, Word

EVIL = "<script>alert('x')</script> & \"quoted\"\ud800\x00\tend"


class Tree(html.parser.HTMLParser):
    """Collects tags, and the text of elements of class "text"."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.texts, self.depth = [], [], 0
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "div" and dict(attrs).get("class") == "text":
            self.texts.append("")
            self.depth = 1

    def handle_endtag(self, tag):
        self.depth = 0 if tag == "div" else self.depth

    def handle_data(self, data):
        if self.depth:
            self.texts[-1] += data


def explanation(text=EVIL, prediction="bug", confidence=0.75, unseen=0, **other):
    words = tuple(Word(found[0], found.start(), found.end(), value)
                  for found, value in zip(re.finditer(r"\w+", text), (2.0, -1.0, 0.01, 0.0),
                                          strict=False))
    return Explanation((ExplainedText(text, words, unseen),), prediction, confidence, **{
        "label": prediction, "logit": 2.5, "baseline_logit": 1.5, "baseline_prediction": "other",
        "gap": 0.0, "complete": True, "points": 9, **other})


def written(tmp_path, explanations, rows=None):
    path, ids = tmp_path / outputs.EXPLANATIONS_PAGE, [f"<{n}>" for n in range(len(explanations))]
    page.write(str(path), "A <title>", ids, explanations, rows or len(explanations))
    return path.read_text(encoding="utf-8")


def test_every_text_is_escaped_and_whole(tmp_path):
    content = written(tmp_path, [explanation(), explanation(prediction="<b>")])
    tree = Tree(content)
    assert tree.texts == [EVIL.replace("\ud800", "\ufffd").replace("\x00", "\ufffd")] * 2
    assert not {"script", "b>", "link", "img"} & {tag for tag, _ in tree.tags}
    assert "A &lt;title&gt;" in content and "&lt;0&gt;" in content and "<b>&lt;b&gt;</b>" in content
    assert not re.search(r"(src|href)=|url\(|@import|https?:", content)


def test_words_are_marked_by_sign_and_strength(tmp_path):
    marks = [(attrs["class"], attrs["title"]) for tag, attrs in Tree(
        written(tmp_path, [explanation()])).tags if tag == "i" and "title" in attrs]
    assert marks == [("f8", "+2.000"), ("a4", "-1.000")]  # the others are too weak to be seen


def test_a_row_whose_words_add_nothing_stays_pale(tmp_path):
    usual = explanation()
    weak = explanation()
    words = tuple(Word(word.text, word.start, word.end, word.attribution / 100)
                  for word in weak.words())
    weak = dataclasses.replace(weak, texts=(ExplainedText(EVIL, words, 0),))
    tags = Tree(written(tmp_path, [usual, weak, usual])).tags
    assert [attrs["class"] for tag, attrs in tags if tag == "i" and "title" in attrs] == [
        "f8", "a4"] * 2


def test_what_was_not_seen_is_told_and_shortened(tmp_path):
    one = explanation("alert me " + "long " * 1000, unseen=998)
    content = written(tmp_path, [one])
    assert "not seen by the model: 998 words" in content and len(content) < 12_000
    assert "2 of 30 rows" in written(tmp_path, [one, one], 30)


def test_what_lacks_is_told(tmp_path):
    content = written(tmp_path, [explanation(complete=False, gap=0.25), explanation()])
    assert "In 1 of them the words add up" in content
    assert content.count("these do not add up: +0.250 of +1.000 is missing") == 1
    assert "is given this label too" in written(tmp_path, [explanation(baseline_prediction="bug")])


def test_text_in_the_table_cannot_break_it(tmp_path):
    text = "a\x0bb c\x00d\ud800 e\u2028f"
    one = explanation(text)
    words = tuple(Word(part, 0, 1, 0.5) for part in (text, "x\ty"))
    one = dataclasses.replace(one, texts=(ExplainedText(text, words, 0),))
    path = tmp_path / outputs.EXPLANATIONS
    table.write(str(path), ["i\td\n"], [one])
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.count("\t") for line in lines] == [len(table.COLUMNS) - 1] * 3
    assert "i\\td\\n" in lines[1] and "x\\ty" in lines[2]


def contrast(background):
    parts = [part / 255 for part in background]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    black = 0.0056  # luminance of #111
    return (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05) / (black + 0.05)


def test_black_text_can_be_read_on_every_colour():
    colours = re.findall(r"rgb\((\d+),(\d+),(\d+)\)", page._levels())
    assert len(colours) == 16
    assert min(contrast(map(int, colour)) for colour in colours) >= 7  # WCAG AAA


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs the browser chromium")
def test_a_browser_filters_and_orders_without_script(tmp_path):
    content = written(tmp_path, [explanation(prediction=name, confidence=sure) for name, sure in (
        ("bug", 0.9), ("feature", 0.5), ("bug", 0.7))])
    chosen = content.replace('id="all" checked', 'id="all"').replace('id="g0"', 'id="g0" checked')
    chosen = chosen.replace('id="given" checked', 'id="given"').replace(
        'id="doubtful"', 'id="doubtful" checked')
    probe = ("<script>document.title = [...document.querySelectorAll('article')].map(one => "
             "getComputedStyle(one).display + getComputedStyle(one).order + '@' + "
             "Math.round(one.getBoundingClientRect().top)).join(' ')</script>")
    (tmp_path / "probe.html").write_text(chosen.replace("</html>", probe), encoding="utf-8")
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}",
         "--dump-dom", (tmp_path / "probe.html").as_uri()],
        capture_output=True, text=True, timeout=120)
    shown = re.search("<title>(.*?)</title>", done.stdout)[1].split()
    states, tops = zip(*(one.split("@") for one in shown), strict=True)
    assert states == ("block2", "none0", "block1")  # bug alone; the less confident first
    assert int(tops[2]) < int(tops[0])
