#!/usr/bin/env bash
# Answers lines of standard input with a trained model, as they come.
#
#   echo "It crashes when I save" | scripts/predict.sh output/mine
#   scripts/predict.sh output/mine --json < texts.txt > answers.jsonl
#   paste texts.txt <(scripts/predict.sh output/mine < texts.txt)
#   scripts/predict.sh --help
#
# A line is a text, or two texts of a pair with a tab between them; a line of answer comes out for
# each: prediction, confidence and the probability of every label, between tabs.
#
# Environment variables: PYTHON and VENV, see scripts/setup.sh --help.

set -euo pipefail

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
python="$("$root/scripts/find_python.sh" tensorflow)"
exec "$python" "$root/scripts/predict.py" "$@"
