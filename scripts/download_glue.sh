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

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
python="$("$root/scripts/find_python.sh")"
exec "$python" "$root/scripts/download_glue.py" "$@"
