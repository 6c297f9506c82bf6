#!/usr/bin/env bash
# Run run_classifier_custom.py on the GPUs of this machine: one, or several together, each with its
# part of every batch. Makes .venv-gpu (TensorFlow with CUDA's libraries) if it is not there.
#
#   scripts/run_gpu.sh --data_dir=data --init_checkpoint=checkpoints/minilm --do_train \
#       --do_eval --output_dir=output/mine
#   scripts/run_gpu.sh --gpus=0,1 ...    two of them; without it all that nvidia-smi lists
#   scripts/run_gpu.sh --help            show this text
#
#   --gpus=N,N   which GPUs, as nvidia-smi numbers them
#   --dry_run    print each command and run none
#   All other flags are those of run_classifier_custom.py; paths are meant from here.
#
# Not run by us: no GPU was at hand; tested with a stand-in for nvidia-smi. You need Linux and NVIDIA's
# driver, 525 or later; nothing else of CUDA. Environment variables: PYTHON and VENV (for .venv-gpu),
# see scripts/setup.sh --help.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
# shellcheck source=scripts/run_common.sh
source "$root/scripts/run_common.sh"

gpus="" flags=()
for argument in "$@"; do
    case "$argument" in
        --gpus=*) gpus="${argument#*=}" ;;
        --gpus) lacks_value "$argument" ;;
        --dry_run) dry_run=yes ;;
        --distribution=* | --use_tpu*) problem "$argument: run_gpu.sh decides that by the GPUs" ;;
        *) flags+=("$argument") ;;
    esac
done

# "0, NVIDIA A100-SXM4-40GB, 8.0" a line
if ! listed="$(nvidia-smi --query-gpu=index,name,compute_cap --format=csv,noheader 2>&1)"; then
    problem "no GPU: nvidia-smi is not there or fails (${listed##*$'\n'}). Install NVIDIA's driver, or run scripts/run_cpu.sh"
    stop_on_problems
fi
present="$(cut -d , -f 1 <<<"$listed")"
gpus="${gpus:-${present//$'\n'/,}}"
for gpu in ${gpus//,/ }; do
    if ! grep -qx -- "$gpu" <<<"$present"; then
        problem "--gpus=$gpus: there is no GPU $gpu; nvidia-smi lists ${present//$'\n'/, }"
    elif [[ "$(grep "^$gpu," <<<"$listed")" =~ ,\ 1[0-9]\.[0-9]$ ]]; then
        say "warning: GPU $gpu is a Blackwell: no TensorFlow on PyPI up to 2.21 has kernels for it; see docs/running.md"
    fi
done
stop_on_problems

case "$gpus" in *,*) distribution=mirrored ;; *) distribution=one_device ;; esac
visible=(env CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES="$gpus")
python="$(call "$root/scripts/setup.sh" --gpu)"
python="${python:-${VENV:-$root/.venv-gpu}/bin/python}"
# Without one TensorFlow would go on, on the CPU.
call "${visible[@]}" "$python" -c \
    'import sys, tensorflow; sys.exit(not tensorflow.config.list_physical_devices("GPU"))' || {
    say "error: TensorFlow finds none of the GPUs $gpus: see its messages above. It needs driver 525 or later"
    exit 2
}
finish_with "${visible[@]}" "$python" "$root/run_classifier_custom.py" --distribution="$distribution" \
    ${flags[@]+"${flags[@]}"}
