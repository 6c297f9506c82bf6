"""Which device a run uses, through tf.distribute."""

import os

import tensorflow as tf

from finetune import batches
from finetune.config import RunConfig
from finetune.errors import UserError


def make_strategy(config: RunConfig) -> tf.distribute.Strategy:
    """Returns the strategy that the flags ask for: a Cloud TPU, else the first GPU, else the CPU.

    The numbers of threads are set first: TensorFlow takes them before it has looked for devices.

    Raises:
        UserError: --use_tpu where no TPU can be reached; numbers of threads that come too late.
    """
    _set_threads(config)
    if config.engine == "original":  # its process needs the devices: none is taken here
        if tf.config.list_physical_devices("GPU"):
            tf.config.set_visible_devices([], "GPU")
        return tf.distribute.OneDeviceStrategy("CPU:0")
    if config.use_tpu:
        return _tpu_strategy(config)
    if not tf.config.list_physical_devices("GPU"):
        return tf.distribute.OneDeviceStrategy("CPU:0")
    tf.config.experimental.enable_op_determinism()  # not run by us: no GPU was at hand
    return tf.distribute.OneDeviceStrategy("GPU:0")


def _set_threads(config: RunConfig) -> None:
    try:
        if config.inter_op_threads > 0:
            tf.config.threading.set_inter_op_parallelism_threads(config.inter_op_threads)
        if config.intra_op_threads > 0:
            tf.config.threading.set_intra_op_parallelism_threads(config.intra_op_threads)
    except RuntimeError as error:  # a user's processor computes with TensorFlow as it is imported
        raise UserError(
            f"--inter_op_threads={config.inter_op_threads} --intra_op_threads="
            f"{config.intra_op_threads}: TensorFlow is at work already and keeps the numbers it "
            "has; leave these flags out, or compute nothing where a module is imported") from error


def _tpu_strategy(config: RunConfig) -> tf.distribute.Strategy:
    # Not run by us: no TPU was at hand. The calls are those of TensorFlow's TPU guide.
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(
            config.tpu_name or "local", zone=config.tpu_zone, project=config.gcp_project,
            job_name=config.tpu_job_name or "worker")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except Exception as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"--use_tpu --tpu_name={config.tpu_name or 'local'}: no TPU can be reached "
            f"({first_line}). On a TPU VM install tensorflow-tpu in place of tensorflow; leave "
            "--use_tpu out to run on CPU or GPU") from error


def widths(strategy: tf.distribute.Strategy, config: RunConfig) -> tuple[int, ...]:
    """Returns the widths that rows are padded to, where shapes have to be few; empty: no padding.

    A TPU knows one; XLA compiles the model once for each that occurs.
    """
    if is_tpu(strategy):
        return (config.max_seq_length,)
    return batches.widths_up_to(config.max_seq_length) if config.xla else ()


def is_tpu(strategy: tf.distribute.Strategy) -> bool:
    """Whether shapes have to be static."""
    return isinstance(strategy, tf.distribute.TPUStrategy)


def describe(strategy: tf.distribute.Strategy) -> str:
    """Returns the device in words, for people who wonder which one runs; threads if given."""
    threads = [f"{number} {name} threads" for name, number in (
        ("inter-op", tf.config.threading.get_inter_op_parallelism_threads()),
        ("intra-op", tf.config.threading.get_intra_op_parallelism_threads())) if number]
    return ", ".join([_device(strategy), *threads])


def _device(strategy: tf.distribute.Strategy) -> str:
    if is_tpu(strategy):
        return f"TPU, {strategy.num_replicas_in_sync} cores"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"GPU {details.get('device_name', gpus[0].name)}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"CPU, {cores} cores (no GPU found)"
