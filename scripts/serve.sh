#!/usr/bin/env bash
# Serve a trained model over HTTP, in an environment that is made if it is not there.
#
#   scripts/serve.sh output/mine                    on http://127.0.0.1:8000, for this machine alone
#   scripts/serve.sh output/mine --port=9000 --batch_rows=32
#   scripts/serve.sh --flags                        all flags and their defaults
#   scripts/serve.sh --help                         show this text
#
# Ctrl-C or SIGTERM stops it; requests under way are answered first. docs/serve.md has the rest.
#
# Environment variables: PYTHON and VENV, see scripts/setup.sh --help. SERVE_PYTHON: a Python that
# has all dependencies (requirements-serve.lock); nothing is installed then.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
python="${SERVE_PYTHON:-$("$root/scripts/setup.sh" --serve)}"
[ "${1:-}" != --flags ] || set -- --help
exec "$python" "$root/scripts/serve.py" "$@"
