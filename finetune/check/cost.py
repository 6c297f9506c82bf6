"""What the run will cost here: seconds and memory, from some steps that are then taken back.

    found(strategy, state, prepared, table, predictor, {"dev": 2100})    # findings
    cost = measure(...)
    cost.seconds, cost.step, cost.peak_bytes
"""

import contextlib
import dataclasses
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from finetune import model, output_folder, workers
from finetune.batches import training_order
from finetune.check.findings import Finding, Severity
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.feature_table import offsets
from finetune.log import duration
from finetune.predictor import Predictor
from finetune.preflight import Prepared
from finetune.records import FeatureTable
from finetune.training.step import TrainingStep
from finetune.windows import ranges

_STEPS = 4  # the first batches of the run, behind two of the longest rows
_ROWS = 128  # that are answered
_TIGHT = 0.9  # of the memory
# Activations that wait for the gradient, float32 each: of a token in a layer so many times the
# layer's width and that between, and of two tokens that meet in a head. Fitted, see below.
_WIDTHS, _BETWEEN, _MEETINGS = 11, 2, 1.7
CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What the run will cost.

    Attributes:
        steps: of training.
        step: seconds of a usual one.
        longest_step: seconds of one with the longest rows.
        build: seconds that building the graph takes, once.
        scored: by split, the seconds that its answers take, evaluations during training included.
        peak_bytes: most memory by now, after a step with the longest rows.
        memory_bytes: that this process may use.
        disk_bytes: of checkpoints at most.
        device_bytes: what peak_bytes is, of a GPU; None without one.
    """

    steps: int
    step: float
    longest_step: float
    build: float
    scored: dict[str, float]
    peak_bytes: int
    memory_bytes: int
    disk_bytes: int
    device_bytes: int | None = None

    @property
    def train(self) -> float:
        """Seconds of training."""
        return self.build + self.steps * self.step

    @property
    def seconds(self) -> float:
        """Seconds of all, but for the start."""
        return self.train + sum(self.scored.values())


@contextlib.contextmanager
def taken_back(state: model.State) -> Iterator[None]:
    """Gives every variable of a state its value back at the end of the block, to the bit."""
    before = checkpoint.snapshot(state.variables())
    try:
        yield
    finally:
        for name, variable in state.variables().items():
            variable.assign(before[name])


def found(strategy: tf.distribute.Strategy, state: model.State, prepared: Prepared,
          table: FeatureTable, predictor: Predictor, tokens: Mapping[str, int]) -> list[Finding]:
    """Measures, and returns what the run will take; see `measure` for the arguments.

    Where the memory would not do for a step, none is made: this process would be killed.
    """
    if prepared.plan and device_memory() is None:
        needed, left = step_bytes(prepared, table), memory_left()
        if workers.from_chief(strategy, np.int32(needed > left)):
            return [Finding("memory", Severity.PROBLEM, None,
                            f"a step of the longest rows would take about {needed / 1e9:.1f} GB "
                            f"more, and {left / 1e9:.1f} GB are free; no step was made to measure "
                            "it", details={"step_bytes": needed, "left_bytes": left})]
    return list(findings(measure(strategy, state, prepared, table, predictor, tokens)))


def step_bytes(prepared: Prepared, table: FeatureTable) -> int:
    """Returns about how much memory a step of the longest rows takes, on top of weights and slots.

    Gradients are as large as the weights; what is copied while a checkpoint is written is three
    times that. minilm with 32 rows of 128 tokens: 1.3 GB, and 1.34 was measured; with 16 of 512 3.8
    and 3.85; BERT-base with 8 rows of 98 2.4 and 2.47.
    """
    bert, config = prepared.bert_config, prepared.config
    rows = -(-config.train_batch_size // config.gradient_accumulation_steps)
    lengths = np.sort(table.lengths())[::-1][:rows].astype(np.float64)
    lengths = np.resize(lengths, rows)
    weights = sum(int(np.prod(shape)) for shape in
                  model.variable_shapes(bert, len(prepared.labels)).values())
    a_token = _WIDTHS * bert.hidden_size + _BETWEEN * bert.intermediate_size
    meetings = _MEETINGS * bert.num_attention_heads * float((lengths ** 2).sum())
    kept = bert.num_hidden_layers * (float(lengths.sum()) * a_token + meetings)
    return round(4 * (4 * weights + kept))


def measure(strategy: tf.distribute.Strategy, state: model.State, prepared: Prepared,
            table: FeatureTable, predictor: Predictor, tokens: Mapping[str, int]) -> Cost:
    """Makes some steps of the run, of which nothing stays.

    Every worker of several has to call it. Time is taken to go by tokens.

    Args:
        state: with the optimizer's slots if the run trains.
        prepared: it trains if there is a plan.
        table: of the split to measure with: train, if the run trains.
        predictor: of the same state.
        tokens: by split that is to be answered, how many it has in all.
    """
    config, plan = prepared.config, prepared.plan
    steps, usual, long, build, disk = 0, 0.0, 0.0, 0.0, 0
    if plan:
        with taken_back(state):
            steps = plan.steps
            whole = dataclasses.replace(config, gradual_unfreezing=False)  # the most it takes
            usual, long, build = _training(
                TrainingStep(strategy, state, prepared.bert_config, whole, plan, table), table,
                config)
        count, size = output_folder.checkpoint_room(
            config, prepared.bert_config, len(prepared.labels), plan)
        disk = count * size
    second = _answers(predictor, table, config.eval_batch_size) if tokens else 0.0
    scored = {split: second * number for split, number in tokens.items()}
    if "dev" in scored and plan and config.eval_every_steps:
        scored["dev"] *= 1 + plan.steps // config.eval_every_steps
    return Cost(steps, usual, long, build, scored, peak_memory(), memory(), disk, device_memory())


def _training(step: TrainingStep, table: FeatureTable, config: RunConfig
              ) -> tuple[float, float, float]:
    """Returns seconds of a usual step, of one with the longest rows, and of building the graph."""
    size, lengths = config.train_batch_size, table.lengths()
    longest = np.resize(np.argsort(-lengths, kind="stable")[:size], size)
    first, long = _timed(step, longest), _timed(step, longest)
    order = training_order(len(table), size, config.seed, config.shuffle_buffer_size)
    batches = [order.batch(number) for number in range(_STEPS)]
    times = [_timed(step, batch) for batch in batches]
    tokens = sum(int(lengths[batch].sum()) for batch in batches)
    return sum(times) / tokens * size * float(lengths.mean()), long, max(first - long, 0.0)


def _timed(step: TrainingStep, batch: np.ndarray) -> float:
    began = time.monotonic()
    float(step([batch])[0][0])
    return time.monotonic() - began


def _answers(predictor: Predictor, table: FeatureTable, batch_size: int) -> float:
    """Returns the seconds that a token of a text to be answered takes."""
    rows = np.sort(np.random.default_rng(0).permutation(len(table))[:_ROWS])
    lengths = table.lengths()[rows]
    places = ranges(table.offsets[rows], lengths)
    few = FeatureTable(table.input_ids[places], table.segment_ids[places], offsets(lengths),
                       table.label_ids[rows], table.is_real[rows])
    began = time.monotonic()
    predictor.predict(few, batch_size, "")
    return (time.monotonic() - began) / int(lengths.sum())


def _brief(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 9.95 else duration(seconds)


def peak_memory() -> int:
    """Returns the most bytes that this process has had in memory."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def device_memory() -> int | None:
    """Returns the most bytes that TensorFlow has had on a GPU; None without one."""
    gpus = tf.config.list_logical_devices("GPU")  # not run by us: no GPU was at hand
    return max((tf.config.experimental.get_memory_info(gpu.name.removeprefix("/device:"))["peak"]
                for gpu in gpus), default=None)


def memory() -> int:
    """Returns the bytes of memory that there are for this process: the machine's, or its limit."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in CGROUP:
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            sizes.append(int(file.read()))  # "max" is no number
    return min(sizes)


def memory_left() -> int:
    """Returns the bytes that this process may still take."""
    left = memory()
    with contextlib.suppress(OSError, ValueError, StopIteration), open(
            "/proc/meminfo", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("MemAvailable:"))
        left = min(left, int(line.split()[1]) * 1024)
    for path in CGROUP:
        used = path.replace("memory.max", "memory.current").replace("limit_in", "usage_in")
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as limit, open(
                used, encoding="ascii") as file:
            left = min(left, int(limit.read()) - int(file.read()))
    return left


def findings(cost: Cost) -> Iterator[Finding]:
    """Yields what the run will take."""
    parts = [f"training {duration(cost.train)} ({cost.steps:,} steps of {cost.step:.2g} s)"
             ] if cost.steps else []
    parts += [f"{split} {_brief(seconds)}" for split, seconds in cost.scored.items()]
    numbers = {**dataclasses.asdict(cost), "train": cost.train, "seconds": cost.seconds}
    sizes = {name: numbers.pop(name) for name in list(numbers) if name.endswith("_bytes")}
    yield Finding("time", Severity.FINE, None, f"about {duration(cost.seconds)}: "
                  + ", ".join(parts), details=numbers)
    tight = cost.peak_bytes > _TIGHT * cost.memory_bytes
    device = ("" if cost.device_bytes is None else
              f"; of a GPU's {cost.device_bytes / 1e9:.2f} GB")
    text = (f"{cost.peak_bytes / 1e9:.2f} GB of {cost.memory_bytes / 1e9:.1f} GB"
            + (", with a batch of the longest rows" if cost.steps else "") + device)
    yield Finding("memory", Severity.PROBLEM if tight else Severity.FINE, None, text
                  + (f"; {cost.disk_bytes / 1e9:.2f} GB of disk for checkpoints"
                     if cost.disk_bytes else ""), details=sizes)
