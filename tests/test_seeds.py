"""benchmarks/seeds.py: the table of scores by seed, and that the documents show it."""

import importlib.util
import json

from tests.conftest import ROOT


def load():
    spec = importlib.util.spec_from_file_location("seeds", ROOT / "benchmarks" / "seeds.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def runs(engine, values, **more):
    return [{"task": "rte", "engine": engine, "seed": seed, "accuracy": value, **more}
            for seed, value in enumerate(values, 1)]


def test_a_table_by_hand():
    rows = load().table([*runs("original", [0.5, 0.6]), *runs("fast", [0.7, 0.5]),
                         *runs("fast", [0.9, 0.9], shuffle_buffer_size=100)])
    assert rows[2:] == [
        "| rte, accuracy | original | 0.500 0.600 | 0.550 | 0.071 |  |",
        # Pooled deviation 0.1118; t(2 degrees of freedom, 1 %) 9.925; times sqrt(1/2 + 1/2).
        "| rte, accuracy | fast | 0.700 0.500 | 0.600 | 0.141 | +0.050, by chance up to 1.110: "
        "within |",
        "| rte, accuracy | fast, buffer 100 | 0.900 0.900 | 0.900 | 0.000 | +0.350, by chance up "
        "to 0.496: within |"]


def test_means_that_lie_apart_are_told():
    rows = load().table([*runs("original", [0.50, 0.51, 0.52]), *runs("fast", [0.7, 0.71, 0.72])])
    assert rows[-1].endswith("by chance up to 0.038: OUTSIDE |")


def test_the_page_on_parity_shows_the_table():
    lines = (ROOT / "benchmarks" / "seeds.jsonl").read_text().splitlines()
    assert "\n".join(load().table(map(json.loads, lines))) in (
        ROOT / "docs" / "parity.md").read_text()
