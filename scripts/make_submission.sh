#!/usr/bin/env bash
# Makes the zip that GLUE's leaderboard takes of the predictions of several runs.
#
#   scripts/make_submission.sh --out=submission.zip cola=output/cola sst-2=output/sst-2 ...
#   scripts/make_submission.sh --out=some.zip --partial rte=output/rte
#
# Each folder holds the predictions.tsv of a run with --do_predict on GLUE's test file. Runs in the
# environment of scripts/setup.sh (VENV, else .venv), or with PYTHON=/path/to/python (3.10 or later).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="${PYTHON:-${VENV:-$root/.venv}/bin/python}"
if ! command -v "$python" >/dev/null; then
  echo "$python: there is no such program; scripts/setup.sh makes the environment, or name a Python:" >&2
  echo "PYTHON=/path/to/python $0 $*" >&2
  exit 2
fi
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m finetune.glue.submission "$@"
