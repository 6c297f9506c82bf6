#!/usr/bin/env bash
# Remake requirements.lock and requirements-test.lock from pyproject.toml, for Python 3.10 to 3.13.
#
#   scripts/lock.sh                        keep the locked versions that still fit
#   scripts/lock.sh --upgrade              take the newest versions
#   scripts/lock.sh --upgrade-package six  take the newest version of one package
#   scripts/lock.sh --help                 show this text
#
# Needs uv (pip install uv), or UV=/path/to/uv. Arguments are passed on to "uv pip compile".

set -euo pipefail

readonly TENSORFLOW=2.21.0 # the newest of pyproject.toml's range that the tests have run on

case "${1:-}" in
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit
        ;;
esac

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
uv="${UV:-uv}"
command -v -- "$uv" >/dev/null || {
    echo "lock.sh: uv not found. Install it (pip install uv) or name it: UV=/path/to/uv" >&2
    exit 1
}

compile() {
    "$uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command scripts/lock.sh "$@" \
        pyproject.toml - <<<"tensorflow==$TENSORFLOW"
}

compile --output-file requirements.lock "$@"
compile --output-file requirements-test.lock --extra test --constraint requirements.lock "$@"
