"""How long a sweep takes: measured before it starts, put right by every run that ends.

    clock = Clock(facts)
    clock.measure(waiting)
    clock.left(waiting)                                                                # seconds
"""

from collections.abc import Mapping, Sequence

from finetune.config import RunConfig
from finetune.log import LOGGER
from finetune.sweep import speed
from finetune.sweep.checks import Facts, kind
from finetune.sweep.results import Outcome
from finetune.sweep.speed import Speed
from finetune.training.schedules import Plan

_MOST_MEASURED = 4  # kinds of runs; more would take longer than it is worth


class Clock:
    """Foretells how long runs take.

    Args:
        facts: of all kinds of runs.
    """

    def __init__(self, facts: Mapping[RunConfig, Facts]):
        self._facts = facts
        self._speeds: dict[RunConfig, Speed] | None = None
        self._took: list[float] = []  # seconds of the runs made, and what was foretold
        self._foretold: list[float] = []

    @property
    def measured(self) -> bool:
        """Whether `measure` has been called."""
        return self._speeds is not None

    def rows(self, runs: Sequence[Outcome]) -> int:
        """Returns the rows to train on in all epochs of these runs."""
        return sum(self._plan(one).steps * one.run.config.train_batch_size for one in runs)

    def measure(self, waiting: Sequence[Outcome]) -> None:
        """Measures the speed of these runs on this machine, once."""
        if self._speeds is not None:
            return
        self._speeds = {}
        for key in list(dict.fromkeys(kind(one.run.config) for one in waiting))[:_MOST_MEASURED]:
            measured = speed.measure(self._facts[key].job)
            if isinstance(measured, str):
                LOGGER.info("note: the speed could not be measured: %s", measured)
                return
            self._speeds[key] = measured

    def rates(self) -> str:
        """Returns in words what was measured."""
        return ", ".join(f"{size / seconds:.1f} rows/s in batches of {size}"
                         for one in list((self._speeds or {}).values())[:1]
                         for size, seconds in one.step.items())

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """Learns from a run that has just finished."""
        self._took.append(seconds)
        self._foretold.append(self._run(outcome))

    def left(self, waiting: Sequence[Outcome], predicts: bool = False) -> float | None:
        """Returns the seconds that these runs take; None if nothing is known yet.

        Args:
            predicts: whether the chosen run will predict; its time counts if it was measured.
        """
        if self._speeds:
            return self._correction() * sum(map(self._run, waiting)) + (
                self.prediction() if predicts else 0.0)
        if not waiting:
            return None if predicts else 0.0
        return sum(self._took) / len(self._took) * len(waiting) if self._took else None

    def prediction(self) -> float:
        """Returns the seconds of prediction with the chosen run, 0.0 if not measured.

        Which run that will be is not known: the slowest kind counts.
        """
        return self._correction() * max((
            measured.of_prediction(self._facts[key].rows.get("test", 0))
            for key, measured in (self._speeds or {}).items()), default=0.0)

    def _correction(self) -> float:
        """How much longer the runs made have taken than was foretold."""
        return sum(self._took) / sum(self._foretold) if any(self._foretold) else 1.0

    def _run(self, outcome: Outcome) -> float:
        if not self._speeds:
            return 0.0
        key, config = kind(outcome.run.config), outcome.run.config
        measured = self._speeds.get(key) or next(iter(self._speeds.values()))
        return measured.of_run(self._plan(outcome), config, self._facts[key].rows["dev"])

    def _plan(self, outcome: Outcome) -> Plan:
        config = outcome.run.config
        return Plan.of(config, self._facts[kind(config)].rows["train"])
