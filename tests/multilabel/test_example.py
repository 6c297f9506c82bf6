"""The sample data with several labels: clean, as many rows as its README says."""

from collections import Counter

from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "github_labels"
LABELS = ["crash", "docs", "install", "performance", "ui"]


def test_the_sample_data():
    readme, seen = (FOLDER / "README.md").read_text(encoding="utf-8"), []
    for split in ("train", "dev", "test"):
        text = (FOLDER / f"{split}.tsv").read_text(encoding="utf-8")
        assert text.endswith("\n") and "\r" not in text
        header, *rows = (line.split("\t") for line in text.removesuffix("\n").split("\n"))
        assert header == ["id", "text", "labels"]
        assert all(row[0].isdigit() and row[1].strip() == row[1] != "" for row in rows)
        sets = [row[2].split(", ") if row[2] else [] for row in rows]
        counts = Counter(label for labels in sets for label in labels)
        assert set(counts) == set(LABELS)
        assert all(len(set(labels)) == len(labels) for labels in sets)
        [line] = [line for line in readme.splitlines() if line.startswith(f"| `{split}.tsv`")]
        assert [int(cell) for cell in line.split("|")[2:-1]] == [
            *(counts[label] for label in LABELS), sets.count([]),
            sum(len(labels) > 1 for labels in sets), len(rows)]
        seen += rows
    assert len(seen) >= 120
    for column in (0, 1):
        assert len({row[column].casefold() for row in seen}) == len(seen)
