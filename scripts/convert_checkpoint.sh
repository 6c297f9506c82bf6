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

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
python="$("$root/scripts/find_python.sh" tensorflow safetensors)"
exec "$python" "$root/scripts/convert_checkpoint.py" "$@"
