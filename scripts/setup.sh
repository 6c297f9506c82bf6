#!/usr/bin/env bash
# Make the project's Python environment, or leave it alone when it is up to date.
#
#   scripts/setup.sh          install requirements.lock into .venv
#   scripts/setup.sh --test   install the test dependencies too (requirements-test.lock)
#   scripts/setup.sh --export install what --export_formats=onnx needs too (requirements-export.lock)
#   scripts/setup.sh --serve  install what scripts/serve.sh needs too (requirements-serve.lock)
#   scripts/setup.sh --gpu    requirements-gpu.lock into .venv-gpu: the same with CUDA's libraries
#   scripts/setup.sh --tpu    requirements-tpu.lock into .venv-tpu: tensorflow-tpu, for a TPU VM
#   scripts/setup.sh --help   show this text
#
# For the original flow there are two more, apart from it (scripts/setup_original.sh):
#
#   scripts/setup.sh --original       TensorFlow 2.15, requirements-original.lock, .venv-original
#   scripts/setup.sh --original-tf1   TensorFlow 1.15, Python 3.7, .venv-original-tf1
#
# Messages go to standard error. Standard output is one line, the path of the environment's
# python, so another script can say: python="$(scripts/setup.sh)"
#
# Environment variables:
#   PYTHON   the Python to use, instead of the first of python3.13 to python3.10 and python3
#   VENV     where the environment lies, instead of .venv in the project's folder; a link leads there
#            (for the original: VENV_ORIGINAL)

set -euo pipefail

unset PYTHONPATH PYTHONHOME # packages of another Python must not count as installed
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd -P)"

say() { printf '%s\n' "$@" >&2; }

die() {
    say "setup.sh: $1" "${@:2}"
    exit 1
}

# The folder $1, absolute and without symbolic links; makes its parents. An environment knows itself
# by its folder: one that a link leads to must not look like one that was moved, and be made anew.
venv_folder() {
    local parent
    if [ -L "$1" ]; then
        [ -d "$1" ] || die "$1 is a link to a folder that is not there; make the folder, or remove the link."
        (cd -- "$1" >/dev/null && pwd -P)
        return
    fi
    parent="$(dirname -- "$1")"
    mkdir -p -- "$parent" || die "cannot make the folder $parent for the environment."
    printf '%s/%s\n' "$(cd -- "$parent" >/dev/null && pwd -P)" "$(basename -- "$1")"
}

# "CPython 3.11.7" for the Python $1; fails when it does not run.
python_version() {
    "$1" -c 'import platform; print(platform.python_implementation() + " " + platform.python_version())' \
        2>/dev/null
}

# The first Python that can make the environment; stops with a list of those that cannot.
find_python() {
    local name path version found=""
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- "${candidates[@]}"
    fi
    for name in "$@"; do
        path="$(command -v -- "$name")" || continue
        version="$(python_version "$path")" || version="does not run"
        if [[ "$version" =~ ^CPython\ 3\.($minors)\. ]]; then
            if "$path" -c 'import ensurepip, venv' 2>/dev/null; then
                printf '%s\n' "$path"
                return
            fi
            version="$version, but without its venv module (Debian, Ubuntu: apt install python3-venv)"
        fi
        found="$found${found:+$'\n'}  $path: $version"
    done
    die "needs CPython $named with its venv module. Found:" \
        "${found:-  none of $*}" \
        "Install one ($source)," \
        "or name it: PYTHON=/path/to/$example $command"
}

# What identifies the environment: its Python's minor version and the folder it was made for.
describe_venv() {
    "$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2], sys.prefix)' 2>/dev/null
}

# True when the environment runs, was not moved and no installation was cut short in it.
is_healthy() {
    [ -s "$venv/setup.made" ] && [ ! -e "$venv/setup.installing" ] &&
        [ "$(describe_venv)" = "$(<"$venv/setup.made")" ]
}

# True when the environment has the minor version of $PYTHON, where the user names one.
is_python_asked_for() {
    local wanted
    [ -n "${PYTHON:-}" ] || return 0
    wanted="$(python_version "$PYTHON")" || return 1
    [ "${wanted%.*}" = "CPython $(cut -d ' ' -f 1 "$venv/setup.made")" ]
}

# True when the environment holds what the lock file $1 says; a copy of it is the stamp.
is_installed() {
    [ -f "$venv/$1" ] && [ "$(<"$venv/$1")" = "$(<"$root/$1")" ]
}

is_up_to_date() {
    is_healthy && is_python_asked_for && is_installed "$least" && is_installed "$lock"
}

# Waits until no other setup.sh works on this environment. A lock taken by a child process belongs
# to the open file, so this shell keeps it; flock(1) is not on every system.
wait_for_turn() {
    exec 9>>"$venv.lock" || die "cannot write $venv.lock."
    "$python" - "$venv" <<'END'
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print(f"Waiting for another setup.sh that works on {sys.argv[1]} ...", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError as error:
    print(f"Cannot lock {sys.argv[1]}.lock ({error}); going on without.", file=sys.stderr)
END
}

check_disk() {
    local folder free_kb
    folder="$(dirname -- "$venv")"
    # POSIX format: ... available, capacity in percent, mount point. No percentage, no opinion.
    [[ "$(df -Pk -- "$folder")" =~ ([0-9]+)[[:space:]]+[0-9]+% ]] || return 0
    free_kb="${BASH_REMATCH[1]}"
    [ "$free_kb" -ge $((needed_gb * 1024 * 1024)) ] ||
        die "the environment needs $needed_gb GB of disk, but $folder has only $((free_kb / 1024)) MB free." \
            "Make room, or put it on another disk: $variable=/other/disk/venv $command"
}

make_venv() {
    if [ -n "$(ls -A -- "$venv" 2>/dev/null)" ]; then
        [ -e "$venv/setup.made" ] || die "$venv exists, but this script did not make it." \
            "Remove it or move it away, or put the environment elsewhere: $variable=/other/folder $command"
        say "The environment in $venv is damaged, moved, half made or of another Python: making it anew."
        find "$venv/" -mindepth 1 -maxdepth 1 ! -name setup.made -exec rm -rf {} +
    fi
    check_disk
    say "Making the environment $venv with $(python_version "$python") ($python)"
    { mkdir -p -- "$venv" && : >"$venv/setup.made"; } || die "cannot write $venv."
    "$python" -m venv "$venv" >&2 || die "$python -m venv failed: see above."
    describe_venv >"$venv/setup.made"
}

# Says in plain words why pip failed, from its output in the file $1.
explain_failure() {
    local reason="pip could not install $lock."
    if grep -qE 'No space left on device|Errno 28|Disk quota exceeded' "$1"; then
        reason="the disk is full. pip also needs room for downloads in ${TMPDIR:-/tmp} (TMPDIR) and in its cache."
    elif grep -qE 'NewConnectionError|NameResolutionError|name resolution|Network is unreachable|Connection refused|Timeout|timed out|ProxyError|SSLError|RemoteDisconnected' "$1"; then
        reason="no network: pip cannot reach the package index. Check the connection, the proxy (HTTPS_PROXY) and certificates."
    elif grep -q 'DO NOT MATCH THE HASHES' "$1"; then
        reason="a downloaded package is not the one that $lock names: nothing of it was installed."
    elif grep -qE 'No matching distribution|not a supported wheel' "$1"; then
        reason="a package in $lock has no build for this machine or this Python."
    fi
    die "$reason" "The last lines of pip ($1):" "$(tail -n 8 "$1")"
}

install_packages() {
    local name log="$venv/setup.log"
    say "Installing $lock: a few minutes the first time, about $download to download"
    : >"$venv/setup.installing"
    # PIP_USER: a user's own "user = true" in pip.conf cannot work in an environment.
    if ! PIP_USER=0 "$venv/bin/python" -m pip install "${pip_options[@]}" --no-input --progress-bar off \
        --disable-pip-version-check -r "$root/$lock" 2>&1 | tee "$log" |
        { grep --line-buffered -oE '^ *Downloading .*|^Installing collected packages' || true; } >&2; then
        # Nothing half installed as long as pip had not begun: the next run can go on from here.
        grep -q '^Installing collected packages' "$log" || rm -f -- "$venv/setup.installing"
        explain_failure "$log"
    fi
    for name in "$least" "$lock"; do # the test lock holds all of the main one
        cp -- "$root/$name" "$venv/$name"
    done
    rm -f -- "$venv/setup.installing"
}

# Adds the Pythons $@ (as in 3.11) of pyenv to the candidates, whether or not it is active.
add_of_pyenv() {
    local minor path
    for minor in "$@"; do
        for path in "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$minor".*/bin/python; do
            [ ! -x "$path" ] || candidates+=("$path")
        done
    done
}

needed_gb=4 download="700 MB" # 2.4 GB for the environment, the rest for downloads and their cache
pip_options=(--require-hashes)
lock=requirements.lock least=requirements.lock variable=VENV folder=.venv command=scripts/setup.sh
named="3.10, 3.11, 3.12 or 3.13" minors="1[0-3]" example=python3.12
source="Debian, Ubuntu: apt install python3 python3-venv; elsewhere python.org"
candidates=(python3.13 python3.12 python3.11 python3.10 python3)
case "${1:-}" in
    "") ;;
    --test) lock=requirements-test.lock ;;
    --export) lock=requirements-export.lock ;;
    --serve) lock=requirements-serve.lock ;;
    --gpu)
        lock=requirements-gpu.lock folder=.venv-gpu command="scripts/setup.sh --gpu"
        needed_gb=12 download="3.5 GB"
        ;;
    --tpu)
        lock=requirements-tpu.lock folder=.venv-tpu command="scripts/setup.sh --tpu"
        named="3.10, 3.11 or 3.12" minors="1[0-2]"
        candidates=(python3.12 python3.11 python3.10 python3)
        pip_options+=(--no-deps) # tf-keras asks for tensorflow, which would overwrite tensorflow-tpu's
        ;;
    --original)
        lock=requirements-original.lock variable=VENV_ORIGINAL folder=.venv-original
        command=scripts/setup_original.sh named="3.9, 3.10 or 3.11" minors="9|10|11" example=python3.11
        source="for instance pyenv install 3.11; Debian, Ubuntu: apt install python3.11-venv"
        candidates=(python3.11 python3.10 python3.9 python3)
        add_of_pyenv 3.11 3.10 3.9
        ;;
    --original-tf1)
        lock=requirements-original-tf1.lock variable=VENV_ORIGINAL folder=.venv-original-tf1
        command="scripts/setup.sh --original-tf1" named=3.7 minors=7 example=python3.7
        source="for instance pyenv install 3.7"
        candidates=(python3.7)
        add_of_pyenv 3.7
        ;;
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit
        ;;
    *)
        say "setup.sh: unknown argument $1; see scripts/setup.sh --help"
        exit 2
        ;;
esac
case "$lock" in
    requirements.lock | requirements-test.lock | requirements-export.lock | requirements-serve.lock) ;;
    *) least="$lock" ;;
esac

venv="$(venv_folder "${!variable:-$root/$folder}")"
if ! is_up_to_date; then
    python="$(find_python)"
    wait_for_turn
    if ! is_up_to_date; then
        { is_healthy && is_python_asked_for; } || make_venv
        install_packages
    fi
fi
printf '%s\n' "$venv/bin/python"
