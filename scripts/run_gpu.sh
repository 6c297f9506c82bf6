#!/usr/bin/env bash
# Run run_classifier_custom.py on the GPUs of this machine: one, or several together, each with its
# part of every batch. Makes .venv-gpu (TensorFlow with CUDA's libraries) if it is not there.
#
#   scripts/run_gpu.sh --data_dir=data --init_checkpoint=checkpoints/minilm --do_train \
#       --do_eval --output_dir=output/mine
#   scripts/run_gpu.sh --gpus=0,1 ...    two of them; without it all that you may use
#   scripts/run_gpu.sh --help            show this text
#
#   --gpus=N,N   which GPUs, as nvidia-smi numbers them; without it those of CUDA_VISIBLE_DEVICES,
#                as a scheduler or you have set it, else all that nvidia-smi lists
#   --dry_run    print each command and run none
#   All other flags are those of run_classifier_custom.py; paths are meant from here.
#
# Not run by us: no GPU was at hand; tested with a stand-in for nvidia-smi. You need Linux and NVIDIA's
# driver, 525 or later (Hopper: 555); nothing else of CUDA. Environment variables: PYTHON and VENV (for .venv-gpu),
# see scripts/setup.sh --help.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
# shellcheck source=scripts/run_common.sh
source "$root/scripts/run_common.sh"

gpus="" flags=()
for argument in "$@"; do
    case "$argument" in
        --gpus | --gpus=) lacks_value --gpus ;;
        --gpus=*) gpus="${argument#*=}" ;;
        --dry_run) dry_run=yes ;;
        --distribution=* | --use_tpu*) problem "$argument: run_gpu.sh decides that by the GPUs" ;;
        *) flags+=("$argument") ;;
    esac
done

# "0, 8.0, 535.183.01, NVIDIA A100-SXM4-40GB" a line
if ! listed="$(nvidia-smi --query-gpu=index,compute_cap,driver_version,name --format=csv,noheader 2>&1)"; then
    problem "no GPU: nvidia-smi is not there or fails (${listed##*$'\n'}). Install NVIDIA's driver, or run scripts/run_cpu.sh"
    stop_on_problems
fi
visible=(env)
if [ -z "$gpus" ] && [ -n "${CUDA_VISIBLE_DEVICES:-}" ]; then
    gpus="$CUDA_VISIBLE_DEVICES" # numbers in an order of CUDA's own, or names: nothing to check
else
    present="$(cut -d , -f 1 <<<"$listed")"
    gpus="${gpus:-${present//$'\n'/,}}"
    visible=(env CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES="$gpus")
    for gpu in ${gpus//,/ }; do
        grep -qx -- "$gpu" <<<"$present" || problem "--gpus=$gpus: there is no GPU $gpu; nvidia-smi lists ${present//$'\n'/, }"
    done
fi
while IFS=, read -r gpu capability driver name; do
    [[ ",$gpus," == *",$gpu,"* ]] || continue
    if [ "${driver%%.*}" -lt 525 ]; then
        problem "GPU $gpu: NVIDIA's driver is${driver}; 525 or later is needed"
    elif [ "${capability%.*}" -ge 10 ]; then
        say "warning: GPU $gpu is a Blackwell: no TensorFlow on PyPI up to 2.21 has kernels for it; see docs/running.md"
    elif [ "${capability%.*}" -eq 9 ] && [ "${driver%%.*}" -lt 555 ]; then
        say "warning: GPU $gpu, a Hopper, needs driver 555 or later, and has${driver}; see docs/running.md"
    elif [ "${capability%.*}" -lt 6 ]; then
        problem "GPU $gpu,$name: too old for TensorFlow 2.21 (compute capability$capability; 6.0 or later is needed)"
    fi
done <<<"$listed"
stop_on_problems

case "$gpus" in *,*) distribution=mirrored ;; *) distribution=one_device ;; esac
python="$(call "$root/scripts/setup.sh" --gpu)"
python="${python:-${VENV:-$root/.venv-gpu}/bin/python}"
# TensorFlow would go on without those it cannot use; without any, on the CPU.
commas="${gpus//[!,]/}"
call "${visible[@]}" "$python" -c \
    'import sys, tensorflow; sys.exit(len(tensorflow.config.list_physical_devices("GPU")) != int(sys.argv[1]))' \
    $((${#commas} + 1)) || {
    say "error: TensorFlow does not find the GPUs $gpus, or not all of them: see its messages above"
    exit 2
}
finish_with "${visible[@]}" "$python" "$root/run_classifier_custom.py" --distribution="$distribution" \
    ${flags[@]+"${flags[@]}"}
