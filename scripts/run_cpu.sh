#!/usr/bin/env bash
# Run run_classifier_custom.py on the CPU, in an environment that is made if it is not there.
#
#   scripts/run_cpu.sh --data_dir=data --init_checkpoint=checkpoints/minilm --do_train \
#       --do_eval --output_dir=output/mine
#   scripts/run_cpu.sh --help    show this text
#
#   --dry_run    print each command and run none
#   All other flags are those of run_classifier_custom.py; paths are meant from here.
#
# Environment variables: PYTHON and VENV, see scripts/setup.sh --help.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
# shellcheck source=scripts/run_common.sh
source "$root/scripts/run_common.sh"

flags=()
for argument in "$@"; do
    case "$argument" in
        --dry_run) dry_run=yes ;;
        *) flags+=("$argument") ;;
    esac
done

python="$(call "$root/scripts/setup.sh")"
finish_with env CUDA_VISIBLE_DEVICES=-1 "${python:-${VENV:-$root/.venv}/bin/python}" \
    "$root/run_classifier_custom.py" ${flags[@]+"${flags[@]}"}
