#!/usr/bin/env bash
# Converts checkpoints: from Hugging Face, to Hugging Face, or without the optimizer's tensors.
#
#   scripts/convert_checkpoint.sh from-huggingface downloaded/bert checkpoints/mine
#   scripts/convert_checkpoint.sh to-huggingface output/run to_share
#   scripts/convert_checkpoint.sh strip output/run to_keep
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
    echo "There is no ${VENV:-$root/.venv} yet: run scripts/setup.sh, which makes it, or name a" >&2
    echo "Python that has the project's dependencies: PYTHON=/path/to/python $0 $*" >&2
  fi
  exit 2
fi
if ! "$python" -c 'import sys, importlib.util as u
sys.exit(sys.version_info < (3, 10) or not (u.find_spec("tensorflow") and u.find_spec("safetensors")))'
then
  echo "$python: is older than Python 3.10, or lacks tensorflow or safetensors;" >&2
  echo "scripts/setup.sh makes an environment that has them: $root/.venv" >&2
  exit 2
fi
exec "$python" "$root/scripts/convert_checkpoint.py" "$@"
