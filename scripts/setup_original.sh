#!/usr/bin/env bash
# Make the environment in which google-research/bert's own flow runs (--engine=original), or leave it
# alone when it is up to date: TensorFlow 2.15, the last that has Estimator, with bert-tensorflow.
#
#   scripts/setup_original.sh          install requirements-original.lock into .venv-original
#   scripts/setup_original.sh --help   show this text
#
# Messages go to standard error. Standard output is one line, the path of the environment's python.
#
# Environment variables:
#   PYTHON          the Python to use, instead of the first of python3.11, python3.10, python3.9,
#                   python3 and those of pyenv that is one of 3.9 to 3.11
#   VENV_ORIGINAL   where the environment lies, instead of .venv-original in the project's folder

set -euo pipefail

case "${1:-}" in
    "") exec "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh" --original ;;
    -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
    *)
        echo "setup_original.sh: unknown argument $1; see scripts/setup_original.sh --help" >&2
        exit 2
        ;;
esac
