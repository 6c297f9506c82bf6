#!/usr/bin/env bash
# Fetches the files of GLUE's tasks, checks them, and puts them into glue_data/TASK.
#
#   scripts/download_glue.sh
#   scripts/download_glue.sh mrpc rte --dir=/data/glue_data
#   scripts/download_glue.sh --list
#
# Runs with the environment of scripts/setup.sh (VENV, else .venv) if there is one, else with
# python3; PYTHON=/path/to/python names another. It needs Python 3.10 and nothing else.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="${PYTHON:-${VENV:-$root/.venv}/bin/python}"
if [ -z "${PYTHON:-}" ] && ! command -v "$python" >/dev/null; then
  python=python3
fi
if ! command -v "$python" >/dev/null; then
  echo "$python: there is no such program; PYTHON=/path/to/python names one." >&2
  exit 2
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
  echo "$python: is older than Python 3.10; PYTHON=/path/to/python names another." >&2
  exit 2
fi
exec "$python" "$root/scripts/download_glue.py" "$@"
