"""Which devices a run uses, through tf.distribute."""

import os

import tensorflow as tf

from finetune import batches, workers
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.training import stopping


def make_strategy(config: RunConfig) -> tf.distribute.Strategy:
    """Returns the strategy that the flags ask for; one device is the first GPU, else the CPU.

    The numbers of threads are set first: TensorFlow takes them before it has looked for devices.

    Raises:
        UserError: a TPU that cannot be reached; numbers of threads, or workers, that come too late.
    """
    _set_threads(config)
    if config.engine == "original":  # its process needs the devices: none is taken here
        if tf.config.list_physical_devices("GPU"):
            tf.config.set_visible_devices([], "GPU")
        return tf.distribute.OneDeviceStrategy("CPU:0")
    if config.kind_of_distribution == "tpu":
        return _tpu_strategy(config)
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()  # not run by us: no GPU was at hand
    if config.kind_of_distribution == "multi_worker":
        return _multi_worker_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if config.kind_of_distribution == "mirrored":
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.OneDeviceStrategy(f"{devices[0].device_type}:0")


def problems(strategy: tf.distribute.Strategy, config: RunConfig) -> list[str]:
    """Returns what the flags ask for that these devices cannot do."""
    replicas, parts = strategy.num_replicas_in_sync, config.gradient_accumulation_steps
    found = []
    if config.xla and is_tpu(strategy):
        found.append("--xla: a TPU is compiled for by XLA anyway; leave it out")
    if replicas == 1:
        return found
    if config.xla and not is_tpu(strategy):
        found.append(f"--xla with --distribution={config.distribution}: compiles for one device; "
                     "leave one of them out")
    if not config.do_train or min(config.train_batch_size, parts) < 1:
        return found
    shares = f"{replicas} devices" + (f" x {parts} parts" if parts > 1 else "")
    if is_tpu(strategy) and config.train_batch_size % (replicas * parts):
        found.append(f"--train_batch_size={config.train_batch_size}: does not divide into equal "
                     f"shares for {shares}, which a TPU needs")
    elif config.train_batch_size < replicas * parts:
        found.append(f"--train_batch_size={config.train_batch_size}: is less than a row for each "
                     f"of {shares}")
    return found


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
            "has; leave these flags out, or give them to what is run first: a module of yours must "
            "not compute as it is imported, and in a notebook the kernel has to be restarted"
        ) from error


def _multi_worker_strategy() -> tf.distribute.Strategy:
    try:
        with stopping.by_default():  # TensorFlow waits here until all workers are there
            return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise UserError("--distribution=multi_worker: TensorFlow is at work already, and lets "
                        "workers meet before that alone; a --processor must not compute with "
                        "TensorFlow") from error


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
    local, replicas = len(workers.replica_ids(strategy)), strategy.num_replicas_in_sync
    where = ""
    if replicas > local:
        where = (f", worker {strategy.cluster_resolver.task_id} of {replicas // local} "
                 f"({replicas} devices in all)")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        name = f"GPU {details.get('device_name', gpus[0].name)}"
        return (f"{local} x {name}" if local > 1 else name) + where
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    virtual = f" as {local} devices" if local > 1 else ""
    return f"CPU, {cores} cores{virtual} (no GPU found){where}"
