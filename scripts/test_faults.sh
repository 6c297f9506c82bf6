#!/usr/bin/env bash
# Do everything to a run that it has to survive, and print how often each was tried and survived.
#
#   scripts/test_faults.sh            all of it: kills, full disks, damaged files, lost workers, 10,000
#                                     mutated inputs, attacks (half an hour on two cores)
#   scripts/test_faults.sh --short    what scripts/test.sh does of it
#   scripts/test_faults.sh --help     show this text
#
# Further arguments go to pytest. The table is printed at the end; docs/reliability.md has one of such
# a run. Disks are filled as small file systems of their own, which needs root on Linux; that part is
# skipped otherwise, and said so.
#
# Environment variables: PYTHON and VENV, see scripts/setup.sh --help.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

form=full
if [ "${1:-}" = --short ]; then
    form=short
    shift
fi
scripts="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" >/dev/null && pwd)"
FAULTS="$form" exec "$scripts/test.sh" tests/faults tests/security -rs "$@"
