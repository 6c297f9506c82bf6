"""What the replicas of a run share: whose rows are whose, sums over workers, what the chief says.

A replica is a copy of the model on a device; a worker is a process with one or more of them. All
functions work for any tf.distribute strategy; with one worker nothing is sent anywhere. Every
worker must call `summed` and `from_chief` the same number of times in the same order.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from finetune.errors import UserError
from finetune.feature_table import FeatureTable
from finetune.log import LOGGER

# What an operation raises that waits for a worker which is gone.
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
        tf.errors.DeadlineExceededError, tf.errors.InternalError)


class WorkerLost(UserError):
    """Another worker of the job is gone; the same commands go on from the last checkpoint."""

    status = 3


def lost(error: tf.errors.OpError) -> WorkerLost:
    """Returns what to tell of an error that a missing worker has caused."""
    first_line = (str(error.message).strip() or type(error).__name__).splitlines()[0]
    return WorkerLost("--distribution=multi_worker: another worker is gone or out of reach ("
                      f"{first_line[:200]}); look at its messages, then start all of them again: "
                      "they go on from the last checkpoint")


def will_be_chief(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether TF_CONFIG makes this process the chief; also where it is wrong, as in one alone."""
    return (bool(cluster_problems(environment))
            or json.loads(environment["TF_CONFIG"])["task"]["index"] == 0)


def announce() -> None:
    """Says whom this worker is about to wait for: MultiWorkerMirroredStrategy waits in silence."""
    content = json.loads(os.environ["TF_CONFIG"])
    LOGGER.info("worker %d: waits for all of %s", content["task"]["index"],
                ", ".join(content["cluster"]["worker"]))


def replica_ids(strategy: tf.distribute.Strategy) -> list[int]:
    """Returns the numbers, among all replicas of the job, of those in this process."""
    found: list[int] = []

    def note(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
        found.append(context.replica_id_in_sync_group)
        return tf.constant(0)

    strategy.experimental_distribute_values_from_function(note)
    return found


def each_its_own(strategy: tf.distribute.Strategy, values: Sequence[Any]) -> Any:
    """Returns a value that is `values[i]` on the i-th replica of this process."""
    return strategy.experimental_distribute_values_from_function(
        lambda context: values[context.replica_id_in_sync_group % len(values)])


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes what the job leaves behind; where it is alone, it does."""
    return strategy.extended.should_checkpoint


def summed(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """Returns the sum over all workers of arrays of one shape and type."""
    replicas = len(replica_ids(strategy))
    if replicas == strategy.num_replicas_in_sync:
        return values
    own = tf.constant(values)
    given = [own, *[tf.zeros_like(own)] * (replicas - 1)]
    return strategy.reduce("sum", each_its_own(strategy, given), axis=None).numpy()


def from_chief(strategy: tf.distribute.Strategy, values: Any) -> np.ndarray:
    """Returns what the chief gave; others give something of the same shape and type."""
    values = np.asarray(values)
    return summed(strategy, values if is_chief(strategy) else np.zeros_like(values))


def check_alike(strategy: tf.distribute.Strategy, settings: Mapping[str, Any],
                tables: Sequence[FeatureTable]) -> None:
    """Makes sure that this worker computes with what the chief computes with.

    Args:
        settings: by flag; the numbers among them are compared, paths may differ.
        tables: the rows of every split.

    Raises:
        UserError: something differs.
    """
    if len(replica_ids(strategy)) == strategy.num_replicas_in_sync:
        return
    numbers = {name: value for name, value in settings.items() if isinstance(value, (int, float))}
    digest = hashlib.sha256(json.dumps(numbers, sort_keys=True).encode())
    for table in tables:
        for array in (table.input_ids, table.segment_ids, table.offsets, table.label_ids):
            digest.update(np.ascontiguousarray(array))
    own = np.frombuffer(digest.digest()[:8], np.int64)
    if not np.array_equal(from_chief(strategy, own), own):
        raise UserError("--distribution=multi_worker: the data or the settings differ from those "
                        "of worker 0; give every worker the same command and the same files")


def cluster_problems(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Returns what is wrong with TF_CONFIG, which says who the workers are and who this one is."""
    text = environment.get("TF_CONFIG")
    example = ('{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
               '"task": {"type": "worker", "index": 0}}')
    if not text:
        return ["--distribution=multi_worker: the variable TF_CONFIG is not set; on each machine "
                f"it is like {example}, with an index of its own; scripts/run_multi_worker.sh "
                "sets it"]
    try:
        content = json.loads(text)
        workers, task = content["cluster"]["worker"], content["task"]
        kind, index = task["type"], task["index"]
    except (ValueError, KeyError, TypeError) as error:
        return [f"TF_CONFIG={text}: cannot be understood ({type(error).__name__}: {error}); it "
                f"has to be like {example}"]
    problems = []
    if others := sorted(set(content["cluster"]) - {"worker"}):
        problems.append(f"TF_CONFIG: cluster names {', '.join(others)}; allowed is worker alone, "
                        "of which the one with index 0 is the chief")
    if (not isinstance(workers, list) or not workers
            or not all(isinstance(one, str) and one.rpartition(":")[2].isdigit()
                       for one in workers)):
        problems.append(f"TF_CONFIG: cluster.worker is {workers!r}; must be a list of host:port")
    elif len(set(workers)) < len(workers):
        problems.append(f"TF_CONFIG: cluster.worker names one address twice: {workers}")
    elif kind != "worker" or type(index) is not int or not 0 <= index < len(workers):
        problems.append(f"TF_CONFIG: task is {kind!r} {index!r}; must be worker, with an index "
                        f"from 0 to {len(workers) - 1}")
    return problems
