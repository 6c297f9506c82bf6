#!/usr/bin/env bash
# Makes the zip that GLUE's leaderboard takes of the predictions of several runs.
#
#   scripts/make_submission.sh --out=submission.zip cola=output/cola sst-2=output/sst-2 ...
#   scripts/make_submission.sh --out=some.zip --partial rte=output/rte
#
# Each folder holds the predictions.tsv of a run with --do_predict on GLUE's test file. Runs with
# the environment of scripts/setup.sh (VENV, else .venv) if there is one, else with python3;
# PYTHON=/path/to/python names another. It needs Python 3.10 and nothing else.

set -euo pipefail

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
python="$("$root/scripts/find_python.sh")"
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m finetune.glue.submission "$@"
