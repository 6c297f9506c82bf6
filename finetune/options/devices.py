"""On what it runs."""

import dataclasses

from finetune.options.declaration import setting

GROUP = "Devices"


@dataclasses.dataclass(frozen=True)
class Devices:
    """The flags under "Devices"."""

    precision: str = setting(
        GROUP, "Type in which the encoder's layers compute; weights, optimizer and loss stay "
        "float32. bfloat16 is for TPUs and newer GPUs and processors, float16 for GPUs.",
        "float32", choices=("float32", "bfloat16", "float16"))
    xla: bool = setting(
        GROUP, "Compile the model with XLA, for rows padded to one of a few lengths: once for "
        "each length that occurs.", False)
    distribution: str | None = setting(
        GROUP, "Which devices share the work: one_device, the first GPU or else the CPU (the "
        "default); mirrored, all GPUs of this machine; multi_worker, the machines that TF_CONFIG "
        "names; tpu, the same as --use_tpu.",
        choices=("one_device", "mirrored", "multi_worker", "tpu"))
    use_tpu: bool = setting(GROUP, "Run on a Cloud TPU.", False, True)
    tpu_name: str | None = setting(
        GROUP, "Name of the TPU; 'local' on a TPU VM (the default there).", None, True)
    tpu_zone: str | None = setting(GROUP, "Zone of the TPU, if it cannot be found.",
                                   None, True)
    gcp_project: str | None = setting(GROUP, "Project of the TPU, if it cannot be found.",
                                      None, True)
    master: str | None = setting(
        GROUP, "TensorFlow master of the original; TPU Nodes, which it named, are gone.",
        None, True)
    num_tpu_cores: int = setting(
        GROUP, "Cores of the TPU; accepted as in the original, TensorFlow finds them itself.",
        8, True)
    tpu_job_name: str | None = setting(GROUP, "Name of the TPU worker's job.", None, True)
    iterations_per_loop: int = setting(
        GROUP, "Steps inside one call on a TPU, as far as no evaluation and no checkpoint lies "
        "between; elsewhere a call makes one.", 1000, True)
    inter_op_threads: int = setting(
        GROUP, "Operations that TensorFlow runs beside each other on the CPU; 0: it chooses.",
        0)
    intra_op_threads: int = setting(
        GROUP, "Threads that share one operation on the CPU; 0: TensorFlow chooses.", 0)
