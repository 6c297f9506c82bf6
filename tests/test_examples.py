"""The sample data: as many rows as promised, clean, balanced, no leak from split to split."""

import itertools
from collections import Counter

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "github_issues"
LEAST = {"train": 300, "dev": 60, "test": 60}


@pytest.fixture(scope="module")
def splits():
    """{split: [(id, title, body, label), ...]} without the header lines."""
    found = {}
    for split in LEAST:
        text = (FOLDER / f"{split}.tsv").read_text(encoding="utf-8")
        assert text.endswith("\n") and "\r" not in text
        header, *rows = (line.split("\t") for line in text.removesuffix("\n").split("\n"))
        assert header == ["id", "title", "body", "label"]
        found[split] = rows
    return found


def test_counts(splits):
    assert all(len(splits[split]) >= least for split, least in LEAST.items())
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for split, rows in splits.items():
        [line] = [line for line in readme.splitlines() if f"`{split}.tsv`" in line and "|" in line]
        counts = Counter(row[3] for row in rows)
        cells = [cell.strip() for cell in line.split("|")[2:-1]]
        assert cells == [str(counts[label]) for label in ("bug", "feature", "question")] + [
            str(len(rows))]


def test_fields_are_clean(splits):
    for row in itertools.chain(*splits.values()):
        assert len(row) == 4, row  # no tab and no line break inside a field
        row_id, title, body, _ = row
        assert row_id.isascii() and row_id.isdigit()
        assert title.strip()
        assert all(field == field.strip() and field.isprintable() for field in row), row
        assert len(title) <= 120 and len(body) <= 400, row


def test_labels_are_three_and_balanced(splits):
    for split, rows in splits.items():
        counts = Counter(row[3] for row in rows)
        assert set(counts) == {"bug", "feature", "question"}, split
        assert max(counts.values()) <= 1.2 * min(counts.values()), counts


def test_ids_and_titles_are_unique(splits):
    rows = list(itertools.chain(*splits.values()))
    assert len({row[0] for row in rows}) == len(rows)
    assert len({row[1].casefold() for row in rows}) == len(rows)
    bodies = [row[2].casefold() for row in rows if row[2]]
    assert len(set(bodies)) == len(bodies)


def test_labels_come_in_no_order(splits):
    """A file that lies sorted by label would be a special case (and is tested elsewhere)."""
    for rows in splits.values():
        runs = [len(list(group)) for _, group in itertools.groupby(row[3] for row in rows)]
        assert max(runs) <= 10


def test_no_near_duplicates_across_splits(splits):
    texts = {split: [f"{row[1]} {row[2]}" for row in rows] for split, rows in splits.items()}
    vectorizer = TfidfVectorizer(sublinear_tf=True).fit(itertools.chain(*texts.values()))
    vectors = {split: vectorizer.transform(rows) for split, rows in texts.items()}
    for one, other in itertools.combinations(texts, 2):
        alike = (vectors[one] @ vectors[other].T).toarray()  # rows have length 1: the cosine
        row, column = divmod(alike.argmax(), alike.shape[1])
        assert alike.max() < 0.6, (texts[one][row], texts[other][column])


def test_words_of_the_labels_do_not_give_them_away(splits):
    """A rule of one word must not solve it: then it would show nothing."""
    rows = splits["dev"] + splits["test"]
    for mark, label in (("?", "question"), ("bug", "bug"), ("add", "feature")):
        says = [mark in row[1].casefold() for row in rows]
        right = sum(said == (row[3] == label) for said, row in zip(says, rows, strict=True))
        assert right / len(rows) < 0.95
