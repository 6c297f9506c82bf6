#!/usr/bin/env bash
# Run run_classifier_custom.py on several machines at once, each with its part of every batch.
#
#   scripts/run_multi_worker.sh --hosts=hosts.txt --data_dir=data --init_checkpoint=checkpoints/minilm \
#       --do_train --do_eval --output_dir=output/mine
#   srun -K --ntasks-per-node=1 scripts/run_multi_worker.sh --data_dir=... (in a job of SLURM; -K ends
#       the others when one fails)
#   scripts/run_multi_worker.sh --help    show this text
#
#   --hosts=FILE        a machine a line, HOST or HOST:PORT; # begins a comment. HOST is what ssh and all
#                       the machines know it by, PORT where they talk to each other (not ssh's)
#   --port=N            the port of those without one (12345; under SLURM 12000 + the job's number
#                       modulo 20000)
#   --max_restarts=N    how often to start all again when one was lost (3)
#   --dry_run           print each command and run none
#   All other flags are those of run_classifier_custom.py; paths are meant from here.
#
# With --hosts this starts, by ssh and without a password, the same command in the same folder of every
# machine, shows what they say behind their names, and ends all when one fails. Under SLURM, and where
# TF_CONFIG is set, it runs one worker, here. The project with its environment, data and checkpoint must
# be at the same paths on every machine; the first one alone writes to --output_dir.
#
# Exit status: the program's. 3, another worker is gone, and lost machines start all again, from the last
# checkpoint; SLURM does that itself (sbatch --requeue). Not run by us on several machines: there was
# one; tested with stand-ins for ssh and scontrol.
#
# Environment variables, for every machine: VENV (.venv; VENV=.venv-gpu after scripts/setup.sh --gpu)
# and PYTHON, see scripts/find_python.sh --help.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
# shellcheck source=scripts/run_common.sh
source "$root/scripts/run_common.sh"

hosts="" port="" max_restarts=3 until_eof=no flags=()
for argument in "$@"; do
    case "$argument" in
        --hosts | --hosts= | --port | --port= | --max_restarts | --max_restarts=)
            lacks_value "${argument%=}"
            ;;
        --hosts=*) hosts="${argument#*=}" ;;
        --port=*) port="${argument#*=}" ;;
        --max_restarts=*) max_restarts="${argument#*=}" ;;
        --dry_run) dry_run=yes ;;
        --until_eof) until_eof=yes ;; # by ssh: ends when standard input does, as it does with ssh
        --distribution=* | --use_tpu*) problem "$argument: leave it out; it is multi_worker here" ;;
        *) flags+=("$argument") ;;
    esac
done

# The TF_CONFIG of the worker $1 of the "host:port"s that follow.
tf_config() {
    local workers
    workers="$(printf '"%s", ' "${@:2}")"
    printf '{"cluster": {"worker": [%s]}, "task": {"type": "worker", "index": %d}}' "${workers%, }" "$1"
}

readonly SECONDS_TO_STOP=120 # the time to write a checkpoint in

# ---- one worker, here

run_worker() {
    local python command worker watcher status=0
    python="$("$root/scripts/find_python.sh" absl bert tensorflow yaml)"
    command=(env TF_CONFIG="$TF_CONFIG" "$python" "$root/run_classifier_custom.py"
        --distribution=multi_worker ${flags[@]+"${flags[@]}"})
    [ "$until_eof" = yes ] || finish_with "${command[@]}"
    "${command[@]}" </dev/null &
    worker=$!
    exec 4<&0 # the shell gives what runs in the background no standard input
    # HUP, which writes a checkpoint too: TensorFlow takes TERM for itself as long as workers meet.
    # 3>&-: ssh does not end before all have closed what they write to, and 3 is standard output.
    { while read -r; do :; done; kill -HUP "$worker"; sleep "$SECONDS_TO_STOP"; kill -KILL "$worker"; } \
        <&4 >/dev/null 2>&1 3>&- &
    watcher=$!
    wait "$worker" || status=$?
    kill "$watcher" 2>/dev/null || true
    return "$status"
}

slurm_config() {
    local nodes=()
    while IFS= read -r node; do nodes+=("$node:${port:-$((12000 + SLURM_JOB_ID % 20000))}"); done \
        < <(scontrol show hostnames "${SLURM_STEP_NODELIST:-$SLURM_JOB_NODELIST}")
    [ "${#nodes[@]}" -eq "${SLURM_NTASKS:-1}" ] || problem "SLURM has ${#nodes[@]} machines and ${SLURM_NTASKS:-1} tasks: it has to be one task for each (srun --ntasks-per-node=1)"
    stop_on_problems
    tf_config "$SLURM_PROCID" "${nodes[@]}"
}

# ---- all of them, by ssh

readonly SSH=(ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4)
readonly SECONDS_TO_WAIT=$((SECONDS_TO_STOP + 20)) # until they have been killed there

read_hosts() {
    local line number=0
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1)) line="${line%%#*}"
        line="${line//[[:space:]]/}"
        if [[ "$line" =~ ^[A-Za-z0-9_.-]+(:[0-9]+)?$ ]]; then
            case "$line" in *:*) ;; *) line="$line:${port:-12345}" ;; esac
            case " ${workers[*]-} " in *" $line "*) problem "$hosts:$number: $line is there already" ;; esac
            workers+=("$line")
        elif [ -n "$line" ]; then
            problem "$hosts:$number: $line is neither HOST nor HOST:PORT"
        fi
    done <"$hosts"
    [ ${#workers[@]} -gt 1 ] || problem "$hosts: ${#workers[@]} machines; with one, run scripts/run_cpu.sh or scripts/run_gpu.sh"
}

check_hosts() {
    local worker
    for worker in ${workers[@]+"${workers[@]}"}; do
        call "${SSH[@]}" "${worker%:*}" "cd $(quoted "$PWD") && test -x $(quoted "$root/scripts/run_multi_worker.sh")" \
            </dev/null || problem "${worker%:*}: not reached by ssh, or it has not both $PWD and this project in $root"
    done
}

# Reads what a worker says and shows it behind its name.
prefix() {
    local line
    exec 9>&-
    while IFS= read -r line || [ -n "$line" ]; do printf '[%s] %s\n' "$1" "$line"; done
}

# Starts all workers. The write end of a pipe is their standard input: closing it ends them all.
start_workers() {
    local index command
    pids=() statuses=()
    exec 9<>"$scratch/input"
    exec 8<"$scratch/input" # opened here: a worker that opened it late would wait for a writer
    for index in "${!workers[@]}"; do
        command="cd $(quoted "$PWD") && $(quoted env TF_CONFIG="$(tf_config "$index" "${workers[@]}")" \
            ${VENV:+VENV="$VENV"} ${PYTHON:+PYTHON="$PYTHON"} \
            "$root/scripts/run_multi_worker.sh" --until_eof ${flags[@]+"${flags[@]}"})"
        if [ "$dry_run" = yes ]; then
            call "${SSH[@]}" "${workers[index]%:*}" "$command"
        else
            "${SSH[@]}" "${workers[index]%:*}" "$command" <&8 8<&- 9>&- \
                > >(prefix "${workers[index]}") 2>&1 &
            pids+=($!)
        fi
    done
    exec 8<&-
}

# Notes the exit status of every worker that has ended; true when all have.
all_ended() {
    local index all=0
    for index in "${!pids[@]}"; do
        [ -z "${statuses[index]:-}" ] || continue
        if kill -0 "${pids[index]}" 2>/dev/null; then
            all=1
        else
            statuses[index]=0
            wait "${pids[index]}" || statuses[index]=$?
        fi
    done
    return "$all"
}

# Waits until all have ended. When one fails, the others are told to end: they would wait for it.
wait_for_workers() {
    local deadline="" status
    until all_ended; do
        for status in ${statuses[@]+"${statuses[@]}"}; do
            if [ "$status" -ne 0 ] && [ -z "$deadline" ]; then
                exec 9>&-
                deadline=$((SECONDS + SECONDS_TO_WAIT))
            fi
        done
        [ -z "$deadline" ] || [ "$SECONDS" -lt "$deadline" ] || kill "${pids[@]}" 2>/dev/null || true
        sleep 1
    done
    exec 9>&-
}

# The status that counts: 0 when all are done, 3 when all have to be started again, else an error's.
outcome() {
    local status found=0
    for status in ${statuses[@]+"${statuses[@]}"}; do
        case "$status" in
            0) ;;
            3 | 129 | 130 | 137 | 143 | 255) [ "$found" -ne 0 ] || found=3 ;; # gone, stopped, killed, no ssh
            *) [ "$found" -eq 2 ] || found="$status" ;;
        esac
    done
    printf '%s\n' "$found"
}

# On Ctrl-C: the workers end with a checkpoint.
stop_workers() {
    trap '' INT TERM
    say "stopping the workers, $SECONDS_TO_STOP s at most ..."
    exec 9>&-
    local deadline=$((SECONDS + SECONDS_TO_WAIT))
    until all_ended || [ "$SECONDS" -ge "$deadline" ]; do sleep 1; done
    kill "${pids[@]}" 2>/dev/null || true
    exit "$1"
}

run_hosts() {
    local restarts=0 status index
    scratch="$(mktemp -d)"
    trap 'rm -rf -- "$scratch"' EXIT
    mkfifo "$scratch/input"
    trap 'stop_workers 130' INT
    trap 'stop_workers 143' TERM
    while :; do
        start_workers
        wait_for_workers
        status="$(outcome)"
        for index in "${!statuses[@]}"; do
            [ "${statuses[index]}" -eq 0 ] || say "${workers[index]} ended with exit status ${statuses[index]}"
        done
        if [ "$status" -ne 3 ] || [ "$restarts" -ge "$max_restarts" ]; then
            exit "$status"
        fi
        restarts=$((restarts + 1))
        say "starting all again from the last checkpoint, $restarts of $max_restarts"
        sleep 10
    done
}

[[ "$port" =~ ^[0-9]*$ ]] || problem "--port=$port: a number"
[[ "$max_restarts" =~ ^[0-9]+$ ]] || problem "--max_restarts=$max_restarts: a number, 0 or more"
workers=() pids=() statuses=()
if [ -n "$hosts" ]; then
    if [ -r "$hosts" ]; then
        read_hosts
        [ ${#problems[@]} -gt 0 ] || [ "$dry_run" = yes ] || check_hosts
    else
        problem "--hosts=$hosts: no such file"
    fi
    stop_on_problems
    run_hosts
elif [ -n "${TF_CONFIG:-}" ]; then
    stop_on_problems
    run_worker
elif [ -n "${SLURM_JOB_NODELIST:-}" ]; then
    [ -n "${SLURM_STEP_ID:-}" ] || problem "start it with srun, which runs it on every machine of the job"
    stop_on_problems
    TF_CONFIG="$(slurm_config)"
    run_worker
else
    problem "which machines? --hosts=FILE, or srun in a job of SLURM, or TF_CONFIG in the environment"
    stop_on_problems
fi
