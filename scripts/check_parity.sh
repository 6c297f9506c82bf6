#!/usr/bin/env bash
# Compare tokens, features and examples with google-research/bert's, on everything there is:
# every code point, random strings, and every row of your data. docs/parity.md says more.
#
#   scripts/check_parity.sh --vocab=checkpoints/minilm/vocab.txt --data_dir=data
#   scripts/check_parity.sh --help    show this text
#
#   --vocab=FILE       a vocabulary to compare with, cased and uncased; may be given several times
#   --data_dir=DIR     compare every row of every .tsv file below it too
#   --strings=N        random strings for each (100000)
#   --processes=N      how many to run at once (as many as there are cores)
#
# Progress goes to standard error, the table to standard output; the exit status is 1 if anything
# differs. What is computed (layers, gradients, updates, checkpoints) is compared by
#
#   scripts/test.sh -v tests/parity
#
# Environment variables: PYTHON and VENV, see scripts/setup.sh --help.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

scripts="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd)"
python="$("$scripts/setup.sh")"
unset PYTHONPATH PYTHONHOME
here="$PWD"
arguments=()
for argument in "$@"; do # the program runs in the project's folder; paths are meant from here
    case "$argument" in
        --vocab=/* | --data_dir=/*) ;;
        --vocab=* | --data_dir=*) argument="${argument%%=*}=$here/${argument#*=}" ;;
    esac
    arguments+=("$argument")
done
cd -- "$scripts/.."
exec "$python" -m tests.parity.everything ${arguments[@]+"${arguments[@]}"}
