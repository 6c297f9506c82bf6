#!/usr/bin/env bash
# Run run_classifier_custom.py on a Cloud TPU VM: create it, train there, fetch the results, delete it.
#
#   scripts/run_tpu.sh --zone=us-central1-b --type=v3-8 --spot --data_dir=gs://mine/data \
#       --init_checkpoint=gs://mine/minilm --output_dir=gs://mine/run --do_train --do_eval
#   scripts/run_tpu.sh --dry_run ...    print each command and run none
#   scripts/run_tpu.sh --help           show this text
#
#   --zone=ZONE         where the TPU VM is made
#   --type=TYPE         v2-8, v3-8, v4-8, v5litepod-1, -4, -8, v5p-8, v6e-1, -4, -8: all that have one host
#   --project=PROJECT   instead of gcloud's own setting
#   --name=NAME         the TPU VM (bert-classifier); one of that name that is READY is used again
#   --spot              a cheaper one, which Google may take away at any time
#   --max_restarts=N    how often to go on after it was taken away (10)
#   --keep              do not delete it at the end
#   All other flags are those of run_classifier_custom.py. The folders must be on gs://, where this
#   machine and the TPU VM both see them. What is committed here is what runs there.
#
# eval_results.txt, predictions.tsv, test_results.tsv, run_config.json and run.log are fetched into
# output/ and the last part of --output_dir; checkpoints stay on gs://. When the TPU VM is taken away,
# another is made and training goes on from the last checkpoint. The TPU VM is deleted at the end, after
# a failure and on Ctrl-C; the same command then goes on. A TPU VM that this script did not make stays.
#
# Not run by us: no Cloud TPU was at hand; tested with a stand-in for gcloud. The exit status is the
# program's; 1 if something else failed, 2 for a mistake, which is told before anything is created.

set -euo pipefail

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
# shellcheck source=scripts/run_common.sh
source "$root/scripts/run_common.sh"

readonly FOLDER=bert-classifier # on the TPU VM, in the home folder
readonly RESULTS="eval_results.txt predictions.tsv test_results.tsv run_config.json run.log"
readonly SILENCES=20 # calls in a row that a TPU VM which is READY may leave unanswered

# Whether the TPU VM will find a file: it gets what is committed.
is_there() { [[ "$1" == gs://* ]] || git -C "$root" cat-file -e "HEAD:$1" 2>/dev/null; }

name=bert-classifier zone="" type="" project="" spot="" keep=no max_restarts=10
data_dir="" output_dir="" paths=() flags=()
for argument in "$@"; do
    case "$argument" in
        --name=*) name="${argument#*=}" ;;
        --zone=*) zone="${argument#*=}" ;;
        --type=*) type="${argument#*=}" ;;
        --project=*) project="${argument#*=}" ;;
        --max_restarts=*) max_restarts="${argument#*=}" ;;
        --name | --zone | --type | --project | --max_restarts) lacks_value "$argument" ;;
        --spot) spot=--spot ;;
        --keep) keep=yes ;;
        --dry_run) dry_run=yes ;;
        --use_tpu* | --tpu_name* | --tpu_zone* | --gcp_project* | --distribution*)
            problem "$argument: leave it out; run_tpu.sh has --name, --zone and --project"
            ;;
        --engine=original) problem "$argument: TPUEstimator does not run on a TPU VM of today; the fast engine does" ;;
        --config=* | --labels_file=*)
            flags+=("$argument")
            is_there "${argument#*=}" || problem "$argument: the TPU VM sees gs://... and, by its path in the project, what is committed there"
            ;;
        --data_dir | --output_dir | --init_checkpoint | --vocab_file | --bert_config_file)
            lacks_value "$argument"
            ;;
        --data_dir=* | --output_dir=* | --init_checkpoint=* | --vocab_file=* | --bert_config_file=*)
            flags+=("$argument")
            case "$argument" in
                *=gs://?*) ;;
                *) problem "$argument: the TPU VM does not see this machine's files: copy it to a bucket (gcloud storage cp -r) and give gs://..." ;;
            esac
            case "$argument" in
                --output_dir=*) output_dir="${argument#*=}" ;;
                --data_dir=*) data_dir="${argument#*=}" paths+=("${argument#*=}") ;;
                *) paths+=("${argument#*=}") ;;
            esac
            ;;
        *) flags+=("$argument") ;;
    esac
done

where=(--zone="$zone" ${project:+--project="$project"} --quiet) # --quiet: asks no questions

vm() { call gcloud compute tpus tpu-vm "$@" "${where[@]}" </dev/null; } # ssh would read all there is

on_vm() {
    vm ssh "$name" --ssh-flag=-oServerAliveInterval=30 \
        --command="$FOLDER/scripts/run_on_tpu_vm.sh $(quoted "$@")"
}

# "READY,run_tpu": the state, and the label if this script made it; nothing if there is none.
look() {
    vm list --format='csv[no-heading](name.basename(),state,labels.made_by)' | sed -n "s/^$name,//p"
}

check() {
    local python path found line bucket
    [ -n "$zone" ] || problem "--zone is missing: --zone=us-central1-b, say; gcloud compute tpus locations list knows them"
    [ -n "$data_dir" ] || problem "--data_dir is missing: --data_dir=gs://BUCKET/FOLDER"
    [ -n "$output_dir" ] || problem "--output_dir is missing: --output_dir=gs://BUCKET/FOLDER"
    [[ "$name" =~ ^[a-z]([-a-z0-9]*[a-z0-9])?$ ]] || problem "--name=$name: lower-case letters, digits and -"
    [[ "$max_restarts" =~ ^[0-9]+$ ]] || problem "--max_restarts=$max_restarts: a number, 0 or more"
    # The images that Google names for each kind; tensorflow-tpu is installed into an environment.
    case "$type" in
        v2-8 | v3-8 | v4-8) image=tpu-ubuntu2204-base ;;
        v5litepod-[148]) image=v2-alpha-tpuv5-lite ;;
        v5p-8) image=v2-alpha-tpuv5 ;;
        v6e-[148]) image=v2-alpha-tpuv6e ;;
        *) problem "--type=$type: one of v2-8 v3-8 v4-8 v5litepod-1 v5litepod-4 v5litepod-8 v5p-8 v6e-1 v6e-4 v6e-8; larger ones have several hosts, which is not supported" ;;
    esac
    git -C "$root" rev-parse -q --verify HEAD >/dev/null 2>&1 || problem "$root: not a git clone with a commit; what is committed is copied to the TPU VM"
    # Flags can be checked where the packages for it are; else the TPU VM's own check has to do.
    if python="$("$root/scripts/find_python.sh" absl yaml 2>/dev/null)"; then
        found="$(PYTHONPATH="$root" "$python" - ${flags[@]+"${flags[@]}"} 2>&1 <<'END'
import sys
from finetune.errors import UserError
from run_classifier_custom import make_config
try:
    problems = make_config([*sys.argv[1:], "--use_tpu", "--tpu_name=local"]).problems()
except UserError as error:
    problems = error.problems
print(*problems, sep="\n")
END
        )"
        while IFS= read -r line; do [ -z "$line" ] || problem "$line"; done <<<"$found"
    else
        say "note: the flags are checked on the TPU VM only; with scripts/setup.sh's environment they are here"
    fi
    [ "$dry_run" = no ] || return 0
    if ! command -v gcloud >/dev/null; then
        problem "gcloud is not installed: https://cloud.google.com/sdk/docs/install"
    elif [ -z "$(gcloud auth list --filter=status:ACTIVE --format='value(account)' 2>/dev/null)" ]; then
        problem "gcloud has no account: gcloud auth login"
    else
        [ -n "$project$(gcloud config get-value project 2>/dev/null)" ] || problem "--project is missing, and gcloud has none: gcloud config set project PROJECT"
        for path in ${paths[@]+"${paths[@]}"}; do
            # A checkpoint is the beginning of names; of buckets others may not be listed.
            [[ "$path" != gs://*/?* ]] || path="${path%/}*"
            [[ "$path" != gs://* ]] || gcloud storage ls "$path" >/dev/null 2>&1 || problem "${path%\*}: gcloud finds nothing there (gcloud storage ls $path)"
        done
        bucket="$(cut -d / -f 1-3 <<<"$output_dir")/"
        [[ "$bucket" != gs://* ]] || gcloud storage ls "$bucket" >/dev/null 2>&1 || problem "--output_dir=$output_dir: gcloud finds no such bucket (gcloud storage ls $bucket)"
    fi
}

# Ends every run, however it ends: the TPU VM goes, or is named if it stays.
clean_up() {
    local status=$? command
    trap '' INT TERM HUP # a second Ctrl-C must not leave it running
    trap - EXIT
    command="$(quoted gcloud compute tpus tpu-vm delete "$name" "${where[@]}")"
    if [ "$dry_run" = yes ]; then
        [ "$delete_at_end" = no ] || printf '%s\n' "$command"
        exit "$status"
    fi
    [ -z "$scratch" ] || rm -rf -- "$scratch"
    if [ "$delete_at_end" = no ]; then
        [ "$in_use" = no ] || say "the TPU VM $name stays, and costs money until you delete it:" "  $command"
    elif [ -n "$(look || echo unknown)" ]; then
        if delete; then
            say "deleted the TPU VM $name"
        else
            say "error: THE TPU VM $name WAS NOT DELETED AND COSTS MONEY until it is. Delete it with" "  $command"
            [ "$status" -ne 0 ] || status=1
        fi
    fi
    exit "$status"
}

# One that is just being made cannot be deleted yet, and the network may be down for a while.
delete() {
    local try
    for try in 1 2 3 4 5 6 7 8 9 10; do
        vm delete "$name" && return 0 # in a trap "return" alone gives the status before the trap
        [ "$try" -lt 10 ] || return 1
        say "not deleted yet; another try in 30 s (do not stop this script: the TPU VM costs money)"
        sleep 30
    done
}

stop() {
    say "error: $1"
    exit "${2:-1}"
}

create() {
    in_use=yes
    [ "$keep" = yes ] || delete_at_end=yes # from now on: Ctrl-C does not stop Google from making it
    vm create "$name" --accelerator-type="$type" --version="$image" --labels=made_by=run_tpu \
        ${spot:+"$spot"}
}

# A TPU VM that is READY: the one there is, or a new one in place of one that was taken away.
have_vm() {
    local found
    found="$(look)" || stop "gcloud cannot list TPU VMs: see above"
    case "$found" in
        READY,*) in_use=yes made_by="${found#*,}" && return ;;
        "") ;;
        CREATING,* | STARTING,*) [ "$in_use" = yes ] || stop "the TPU VM $name is ${found%,*}: is another run_tpu.sh at work? Or give another --name" ;;
        *,run_tpu) vm delete "$name" || return ;;
        *) stop "the TPU VM $name is ${found%,*}, and run_tpu.sh did not make it: give another --name" ;;
    esac
    made_by=run_tpu
    create
}

# Copies what is committed, installs and starts the program. A new TPU VM may not take ssh at once.
start() {
    local try
    for try in 1 2 3 4 5; do
        vm scp "$code" "$name:$FOLDER.tar.gz" && break
        [ "$try" -lt 5 ] || return
        sleep 15
    done
    vm ssh "$name" --command="mkdir -p $FOLDER && tar -xzf $FOLDER.tar.gz -C $FOLDER" &&
        on_vm start ${flags[@]+"${flags[@]}"}
}

# Shows the log until the program has ended; then $ended is its exit status, none, or gone.
watch() {
    local silences=0 found
    while :; do
        on_vm follow || true
        if ended="$(on_vm status)"; then
            silences=0 ended="${ended##*$'\n'}"
            [ "$dry_run" = no ] || ended=0
            [ "$ended" = running ] || return 0
        else
            found="$(look || echo READY)" # when gcloud cannot say, the network may be down here
            ended=gone silences=$((silences + 1))
            case "$found" in READY*) ;; *) return 0 ;; esac
            [ "$silences" -lt "$SILENCES" ] || stop "the TPU VM $name does not answer"
        fi
        sleep 15
    done
}

fetch() {
    local listed file found=() folder="output/${output_dir##*/}"
    listed="$(call gcloud storage ls "$output_dir/")" || return
    for file in $RESULTS; do
        if [ "$dry_run" = yes ] || grep -qxF -- "$output_dir/$file" <<<"$listed"; then
            found+=("$output_dir/$file")
        fi
    done
    [ ${#found[@]} -gt 0 ] || return 0
    call mkdir -p "$folder" && call gcloud storage cp "${found[@]}" "$folder/" || return
    [ "$dry_run" = yes ] || say "fetched into $PWD/$folder: ${found[*]##*/}"
}

output_dir="${output_dir%/}"
check
stop_on_problems

in_use=no delete_at_end=no made_by=run_tpu code="${TMPDIR:-/tmp}/$name.tar.gz" scratch="" ended="" restarts=0
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if [ "$dry_run" = no ]; then
    scratch="$(mktemp -d)" # nobody else can write there: what is in it runs on the TPU VM
    code="$scratch/$name.tar.gz"
fi
uncommitted="$(git -C "$root" status --porcelain | cut -c 4-)"
[ -z "$uncommitted" ] || say "note: not committed, so not on the TPU VM: ${uncommitted//$'\n'/ }"
call git -C "$root" archive --format=tar.gz --output="$code" HEAD
while :; do
    ended="not started"
    if have_vm; then
        if start; then
            [ "$keep" = yes ] || [ "$made_by" != run_tpu ] || delete_at_end=yes
            watch
        elif [[ "$(look)" == READY* ]]; then
            stop "the program could not be started on the TPU VM: see above"
        fi
    elif [ "$restarts" -eq 0 ]; then
        stop "the TPU VM $name could not be created: see above"
    fi
    case "$ended" in
        0) break ;;
        130 | 143) ;; # stopped by a signal, after it wrote a checkpoint
        2) stop "run_classifier_custom.py found a mistake: see above" 2 ;;
        [0-9]*) stop "run_classifier_custom.py ended with exit status $ended: see above" "$ended" ;;
    esac
    [ "$restarts" -lt "$max_restarts" ] || stop "given up after $restarts restarts (--max_restarts=$max_restarts); the same command goes on from the last checkpoint"
    restarts=$((restarts + 1))
    say "the TPU VM was taken away, or the program stopped there ($ended): going on from the last checkpoint, restart $restarts of $max_restarts in $restarts min"
    sleep $((60 * restarts)) # longer and longer: where there was none to have, there may be one later
done
fetch || stop "the results could not be fetched; they are in $output_dir"
