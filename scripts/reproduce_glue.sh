#!/usr/bin/env bash
# The BERT paper's fine-tuning on GLUE: its sweep for each task, beside its figures.
#
#   scripts/reproduce_glue.sh mrpc rte              the tasks named; without names all of GLUE
#   scripts/reproduce_glue.sh --checkpoint=checkpoints/uncased_L-24_H-1024_A-16 --seeds=5 rte
#   scripts/reproduce_glue.sh --smoke cola          two short runs a task, to see that all works
#
# Options: --checkpoint=FOLDER (checkpoints/uncased_L-12_H-768_A-12), --glue_dir=FOLDER (glue_data, as
# scripts/download_glue.sh makes it), --output_dir=FOLDER (output/glue), --seeds=N (5 for BERT-large,
# else 1), --smoke. Any other flag goes to every run: --eval_batch_size=64.
#
# Batch 16 and 32, learning rate 5e-5 to 2e-5, 2 to 4 epochs: 24 runs a task and seed. The time is
# estimated before it starts; the same command goes on where it stopped. Runs in the environment of
# scripts/setup.sh (VENV, else .venv), or PYTHON=/path/to/python.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
python="$("$root/scripts/find_python.sh" absl bert sklearn tensorflow yaml)"
exec "$python" "$root/scripts/reproduce_glue.py" "$@"
