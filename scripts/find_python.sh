#!/usr/bin/env bash
# Print the Python that a script is to run with, or say why there is none; makes no environment.
#
#   python="$(scripts/find_python.sh tensorflow safetensors)"
#   scripts/find_python.sh            one that is 3.10 or later is enough
#   scripts/find_python.sh --help     show this text
#
# Arguments are the modules that it must have. Where none is named and there is no environment,
# python3 will do. Messages go to standard error; the exit status is 2 if nothing was printed.
#
# Environment variables:
#   PYTHON   the Python to use, instead of the environment's
#   VENV     the environment of scripts/setup.sh, instead of .venv in the project's folder

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

readonly CHECK='
import sys
if sys.version_info < (3, 10):
    print("is Python %d.%d; 3.10 or later is needed" % sys.version_info[:2])
    sys.exit(1)
from importlib.util import find_spec
lacking = [name for name in sys.argv[1:] if find_spec(name) is None]
if lacking:
    print("lacks " + ", ".join(lacking))
    sys.exit(1)
'

stop() {
    printf '%s\n' "error: $1" \
        "scripts/setup.sh makes the environment; PYTHON=/path/to/python names another Python" >&2
    exit 2
}

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
python="${PYTHON:-${VENV:-$root/.venv}/bin/python}"
if ! command -v -- "$python" >/dev/null; then
    [ -z "${PYTHON:-}" ] || stop "PYTHON=$PYTHON: there is no such program"
    [ $# -eq 0 ] || stop "there is no $python"
    python=python3
    command -v -- "$python" >/dev/null || stop "there is no python3"
fi
problem="$("$python" -c "$CHECK" "$@" 2>&1)" || stop "$python: ${problem:-does not run}"
printf '%s\n' "$python"
