#!/usr/bin/env bash
# Train the fast engine and google-research/bert's own flow on a task, N seeds each, and compare
# features, probabilities, scores, time and memory in one table.
#
#   scripts/compare_with_original.sh rte --data_dir=glue_data/RTE --init_checkpoint=checkpoints/minilm
#   scripts/compare_with_original.sh own --data_dir=data --init_checkpoint=checkpoints/minilm --seeds=5
#   scripts/compare_with_original.sh --help    show this text
#
#   TASK          a --task_name, or own: your own files, described by flags
#   --seeds       runs of each engine (3)
#   --output_dir  keeps the runs; finished ones are not made again (output/comparison)
#   All other flags are those of run_classifier_custom.py.
#
# Exit status: 0 alike; 1 features or probabilities differ, or a mean score lies outside what chance
# allows; 2 a mistake, or a run failed. What exactly is compared: docs/original.md.
#
# Where there is a Python 3.7, the original runs on TensorFlow 1.15 (made in .venv-original-tf1), else
# on 2.15 (.venv-original). Environment variables:
#   PYTHON37        the Python 3.7 to use, instead of python3.7 or one of pyenv
#   VENV_ORIGINAL   a ready environment for the original, instead of both
#   VENV, PYTHON    the environment of the fast engine (.venv), or a Python with its dependencies

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
python="$("$root/scripts/find_python.sh" absl bert sklearn tensorflow yaml)"

# Whether a Python 3.7 is at hand from which an environment can be made.
has_python37() {
    local path
    for path in python3.7 "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.7.*/bin/python; do
        ! "$path" -c 'import ensurepip, venv' 2>/dev/null || return 0
    done
    return 1
}

if [ -z "${VENV_ORIGINAL:-}" ]; then
    if [ -n "${PYTHON37:-}" ] || has_python37; then
        made="$(PYTHON="${PYTHON37:-}" "$root/scripts/setup.sh" --original-tf1)" || exit 2
    else
        made="$(PYTHON="" "$root/scripts/setup_original.sh")" || exit 2
    fi
    VENV_ORIGINAL="$(dirname -- "$(dirname -- "$made")")"
    export VENV_ORIGINAL
fi
exec "$python" "$root/scripts/compare_with_original.py" "$@"
