#!/usr/bin/env bash
# What scripts/run_*.sh share, which read it with "source": it defines functions and does nothing.
#
#   scripts/run_common.sh --help   show this text
#
# They know options of their own; every other flag is passed on to run_classifier_custom.py.

set -euo pipefail

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
fi

exec 3>&1 # commands are printed here, from within $( ) too
dry_run=no
problems=()

say() { printf '%s\n' "$@" >&2; }

problem() { problems+=("$1"); }

# Stops with what has been found to be wrong, all of it, or goes on.
stop_on_problems() {
    [ ${#problems[@]} -gt 0 ] || return 0
    say "${problems[@]/#/error: }"
    exit 2
}

# Takes "$1" for an option that needs a value; ends in a problem if it has none.
lacks_value() { problem "$1: write it as $1=VALUE; see $(basename -- "$0") --help"; }

# Prints the words of a command so that a shell reads the same words.
quoted() {
    local word line="" quote="'\\''"
    for word in "$@"; do
        case "$word" in
            "" | *[!A-Za-z0-9_./:=,@%+~-]*) word="'${word//"'"/$quote}'" ;;
        esac
        line="$line${line:+ }$word"
    done
    printf '%s\n' "$line"
}

# Runs a command; with --dry_run prints it, ready to be pasted, and runs nothing.
call() {
    if [ "$dry_run" = yes ]; then
        quoted "$@" >&3
    else
        "$@"
    fi
}

# The same for a script's last command, which takes its place: signals reach it then.
finish_with() {
    [ "$dry_run" = no ] || { call "$@" && exit; }
    exec "$@"
}
