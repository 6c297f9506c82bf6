#!/usr/bin/env bash
# Check the code with ruff and run the tests, in the project's environment, which is made if needed.
#
#   scripts/test.sh                       everything, in as many processes as there are cores, 4
#                                         at most
#   scripts/test.sh -m 'not slow'         arguments are passed on to pytest;
#   scripts/test.sh tests/test_scripts.py paths are relative to the project's folder
#   scripts/test.sh --with-huggingface    with transformers and torch too, which the tests in
#                                         tests/huggingface compare with
#   scripts/test.sh --help                show this text
#
# --with-huggingface, given first, installs requirements-huggingface.txt into an environment beside
# the project's, .venv-huggingface (1.2 GB where torch comes for the CPU; on Linux pip takes the
# larger one for CUDA unless PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu says so).
#
# Environment variables: PYTHON and VENV, see scripts/setup.sh --help. HUGGINGFACE_PYTHON: a Python
# that has transformers and torch; nothing is installed then.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

scripts="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd)"
python="$("$scripts/setup.sh" --test)"
cd -- "$scripts/.."
unset PYTHONPATH PYTHONHOME

# Prints the Python of the environment with transformers; makes it, or leaves it as it is.
huggingface_python() {
    local venv="${VENV:-$PWD/.venv}-huggingface" list=requirements-huggingface.txt
    if [ ! -f "$venv/$list" ] || [ "$(<"$venv/$list")" != "$(<"$list")" ]; then
        echo "Installing $list into $venv" >&2
        # Joined by &&, since bash forgets "set -e" inside $( ). The copy says that all is there.
        "$python" -m venv "$venv" >&2 &&
            PIP_USER=0 "$venv/bin/python" -m pip install --no-input --progress-bar off \
                --disable-pip-version-check -r "$list" >&2 &&
            cp -- "$list" "$venv/$list" || return
    fi
    printf '%s\n' "$venv/bin/python"
}

if [ "${1:-}" = --with-huggingface ]; then
    shift
    HUGGINGFACE_PYTHON="${HUGGINGFACE_PYTHON:-$(huggingface_python)}"
    export HUGGINGFACE_PYTHON
fi
"$python" -m ruff check .
[ $# != 0 ] || set -- -n auto --dist loadfile
exec "$python" -m pytest "$@"
