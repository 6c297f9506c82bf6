"""One of two workers is killed: the other ends with a message, the job goes on bit for bit."""

import random

import pytest

from tests.distribution.conftest import (  # noqa: F401  (fixtures)
    assert_same_bits,
    certain,
    data,
    job,
)
from tests.faults.tally import scale

SAVING = ["--save_checkpoints_steps=3", "--eval_every_steps=5"]
DROPOUT = {index: {"HEAD_DROPOUT": "0.1"} for index in range(2)}


@pytest.fixture(scope="module")
def unbroken(job, tmp_path_factory):  # noqa: F811
    """Output folder of a job of two workers that nothing has happened to."""
    folder = tmp_path_factory.mktemp("unbroken") / "out"
    done = job(folder, *SAVING, workers=2, variables=DROPOUT)
    assert [one.status for one in done] == [0, 0], done[0].said
    return folder


@pytest.mark.parametrize("victim", [0, 1], ids=["the chief", "the other"])
def test_a_worker_that_dies_stops_the_others_and_the_job_goes_on(
        job, unbroken, tmp_path, tally, victim):  # noqa: F811
    tries = scale(1, 3)
    count = tally("kill -9 of one worker of two", tries, 0)
    for step in [7, *random.Random(victim).sample([0, 1, 2, 3, 4, 5, 6, 8], 2)][:tries]:
        folder = tmp_path / str(step)
        died = job(folder, *SAVING, workers=2, variables={
            **DROPOUT, victim: {**DROPOUT[victim], "DIE_AT": str(step)}})
        other, late = died[1 - victim], died[1 - victim].ended - died[victim].ended
        assert died[victim].status == -9
        assert other.status == 3 and "another worker is gone" in other.said, other.said
        assert "Traceback" not in other.said and late < 60
        again = job(folder, *SAVING, workers=2, variables=DROPOUT)
        assert [one.status for one in again] == [0, 0], again[0].said
        assert step <= 3 or "goes on from" in again[0].said
        assert_same_bits(folder, unbroken)
        count.survived += 1
        slowest[0] = max(slowest[0], late)
        count.detail = (f"the other ended within {slowest[0]:.1f} s with status 3; the same "
                        "command: the same bits")


slowest = [0.0]  # of both victims
