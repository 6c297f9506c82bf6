#!/usr/bin/env bash
# What scripts/run_tpu.sh does on the TPU VM, by ssh. Nothing in here is for people.
#
#   scripts/run_on_tpu_vm.sh start FLAGS    install, and start run_classifier_custom.py apart from ssh
#   scripts/run_on_tpu_vm.sh follow         show its log until it ends
#   scripts/run_on_tpu_vm.sh status         print running, its exit status, or none
#   scripts/run_on_tpu_vm.sh --help         show this text
#
# The flags, the process id, the log and the exit status lie in the project's folder, in run_on_tpu_vm/.
# Not run by us on a TPU VM: none was at hand; tested elsewhere with a stand-in for the program.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
here=run_on_tpu_vm

is_running() { [ -s "$here/pid" ] && kill -0 "$(<"$here/pid")" 2>/dev/null; }

# A TPU VM's Ubuntu may come without the venv module, and updates itself just after its start.
install() {
    local try
    for try in 1 2 3 4 5; do # apt waits for the lock of dpkg, but not for that of its lists
        python3 -c 'import ensurepip, venv' 2>/dev/null && break
        [ "$try" -eq 1 ] || sleep 30
        sudo apt-get -qq update && sudo apt-get -o DPkg::Lock::Timeout=600 -qqy install python3-venv
    done >&2
    scripts/setup.sh --tpu
}

# Ends the script if a program runs already: well if its flags are those given, else with an error.
join() {
    is_running || return 0
    [ "$(<"$here/flags")" != "$(printf '%q ' "$@")" ] || exit 0
    echo "error: another run is at work on this TPU VM: $(<"$here/flags")" >&2
    exit 2
}

start() {
    local python library
    exec 8>"$here.lock"
    flock 8 # gcloud repeats a call that ssh has lost, and the lost one goes on
    join "$@"
    python="$(install)"
    library="$("$python" -c 'import libtpu; print(libtpu.get_library_path())')"
    rm -rf -- "$here"
    mkdir -- "$here"
    printf '%q ' "$@" >"$here/flags"
    # The two long names let TensorFlow reach the TPU by PJRT, which v5e, v5p and v6e know alone.
    TPU_NAME=local NEXT_PLUGGABLE_DEVICE_USE_C_API=true TF_PLUGGABLE_DEVICE_LIBRARY_PATH="$library" \
        nohup bash -c '"$@"; echo $? >'"$here/status" run "$python" run_classifier_custom.py \
        --use_tpu --tpu_name=local "$@" >"$here/log" 2>&1 </dev/null 8>&- &
    echo $! >"$here/pid"
}

case "${1:-}" in
    start) start "${@:2}" ;;
    follow)
        # The last lines again when ssh was cut off: it may have been some time ago.
        tail -n 50 -f --pid="$(<"$here/pid")" "$here/log"
        ;;
    status)
        if is_running; then
            echo running
        elif [ -s "$here/status" ]; then
            cat "$here/status"
        else
            echo none
        fi
        ;;
    *)
        echo "run_on_tpu_vm.sh: one of start, follow, status; see scripts/run_on_tpu_vm.sh --help" >&2
        exit 2
        ;;
esac
