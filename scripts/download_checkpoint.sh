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

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
python="$("$root/scripts/find_python.sh" tensorflow safetensors)"
exec "$python" "$root/scripts/download_checkpoint.py" "$@"
