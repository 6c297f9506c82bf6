#!/usr/bin/env bash
# Check the code with ruff and run the tests, in the project's environment, which is made if needed.
#
#   scripts/test.sh                       everything
#   scripts/test.sh -m 'not slow'         arguments are passed on to pytest;
#   scripts/test.sh tests/test_scripts.py paths are relative to the project's folder
#   scripts/test.sh --help                show this text
#
# Environment variables: PYTHON and VENV, see scripts/setup.sh --help.

set -euo pipefail

case "${1:-}" in
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit
        ;;
esac

scripts="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd)"
python="$("$scripts/setup.sh" --test)"
cd -- "$scripts/.."
unset PYTHONPATH PYTHONHOME
"$python" -m ruff check .
exec "$python" -m pytest "$@"
