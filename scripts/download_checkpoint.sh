#!/usr/bin/env bash
# Fetches a pre-trained checkpoint by name, checks it, and puts it into checkpoints/NAME.
#
#   scripts/download_checkpoint.sh minilm
#   scripts/download_checkpoint.sh bert-base-uncased /data/checkpoints
#   scripts/download_checkpoint.sh --list
#
# Runs in the environment of scripts/setup.sh (VENV, else .venv), or with a Python that has the
# dependencies: PYTHON=/path/to/python.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="${PYTHON:-${VENV:-$root/.venv}/bin/python}"
if ! command -v "$python" >/dev/null; then
  if [ -n "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON: there is no such program." >&2
  else
    echo "There is no ${VENV:-$root/.venv} yet: run scripts/quickstart.sh, which makes it, or name a" >&2
    echo "Python that has the project's dependencies: PYTHON=/path/to/python $0 $*" >&2
  fi
  exit 2
fi
if ! "$python" -c 'import sys, importlib.util as u
sys.exit(sys.version_info < (3, 10) or not (u.find_spec("tensorflow") and u.find_spec("safetensors")))'
then
  echo "$python: is older than Python 3.10, or lacks tensorflow or safetensors;" >&2
  echo "scripts/quickstart.sh makes an environment that has them: $root/.venv" >&2
  exit 2
fi
exec "$python" "$root/scripts/download_checkpoint.py" "$@"
