"""scripts/run_tpu.sh with a stand-in for gcloud: no Cloud TPU, and no network."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run_scripts.conftest import RunProject, wait_for
from tests.script_project import ROOT, write_script

KEY = """case "$*" in
    "auth list"*) echo auth ;;
    "config get-value"*) echo project ;;
    *"tpu-vm list"*) echo list ;;
    *"tpu_vm.sh "*) line="$*" && line="${line#*tpu_vm.sh }" && echo "${line%% *}" ;;
    *"tpu-vm ssh"*) echo unpack ;;
    *"tpu-vm"*) echo "$4" ;;
    *) echo "$1-$2" ;;
esac"""
USUAL = """case "$key" in
    auth) echo me@example.com ;;
    project) echo my-project ;;
    list)
        echo others-bert-classifier,READY,
        [ ! -s "$PLANS/vm" ] || echo "${LISTED:-bert-classifier},$(<"$PLANS/vm")"
        ;;
    create) vm READY,run_tpu ;;
    delete) vm "" ;;
    follow) echo "train 20/84  loss 0.7" ;;
    status) echo 0 ;;
    storage-ls) printf 'gs://b/run/%s\\n' eval_results.txt run.log checkpoint ;;
esac"""
FLAGS = ["--data_dir=gs://b/data", "--init_checkpoint=gs://b/minilm", "--output_dir=gs://b/run/",
         "--do_train", "--text_column=title,the body"]
USED = ["--zone=us-central1-b", "--type=v3-8", *FLAGS]
CHECKED = ["auth", "project", *["storage-ls"] * 3]
TRAINED = ["scp", "unpack", "start", "follow", "status"]
FETCHED = ["storage-ls", "storage-cp"]
DELETED = ["list", "delete"]


@pytest.fixture
def tpu(project: RunProject) -> RunProject:
    project.add("gcloud", KEY, USUAL)
    project.add("sleep", 'echo "sleep $1"')
    project.commit()
    return project


def test_happy_path_call_by_call(tpu: RunProject) -> None:
    done = tpu.run("run_tpu.sh", *USED, "--spot")
    assert done.returncode == 0, done.stderr
    assert tpu.calls() == [*CHECKED, "list", "create", *TRAINED, *FETCHED, *DELETED]
    vm, where = "gcloud compute tpus tpu-vm", "--zone=us-central1-b --quiet"
    on_vm = (f"{vm} ssh bert-classifier --ssh-flag=-oServerAliveInterval=30 "
             "--command=bert-classifier/scripts/run_on_tpu_vm.sh")
    look = f"{vm} list --format=csv[no-heading](name.basename(),state,labels.made_by) {where}"
    calls = tpu.full_calls()
    [code] = [call.split()[5] for call in calls if " scp " in call]
    assert Path(code).name == "bert-classifier.tar.gz"
    assert Path(code).parent.parent == Path(tpu.env["TMPDIR"])  # a folder that mktemp made
    assert calls == [
        "gcloud auth list --filter=status:ACTIVE --format=value(account)",
        "gcloud config get-value project",
        "gcloud storage ls gs://b/data*",
        "gcloud storage ls gs://b/minilm*",
        "gcloud storage ls gs://b/",
        look,
        f"{vm} create bert-classifier --accelerator-type=v3-8 --version=tpu-ubuntu2204-base "
        f"--labels=made_by=run_tpu --spot {where}",
        f"{vm} scp {code} bert-classifier:bert-classifier.tar.gz {where}",
        f"{vm} ssh bert-classifier --command=mkdir -p bert-classifier && "
        f"tar -xzf bert-classifier.tar.gz -C bert-classifier {where}",
        f"{on_vm} start {' '.join(FLAGS[:-1])} '--text_column=title,the body' {where}",
        f"{on_vm} follow {where}",
        f"{on_vm} status {where}",
        "gcloud storage ls gs://b/run/",
        "gcloud storage cp gs://b/run/eval_results.txt gs://b/run/run.log output/run/",
        look,
        f"{vm} delete bert-classifier {where}",
    ]
    assert "train 20/84" in done.stdout
    assert "fetched into" in done.stderr and "deleted the TPU VM" in done.stderr
    assert not os.path.exists(os.path.dirname(code))


@pytest.mark.parametrize(("kind", "image"), [
    ("v2-8", "tpu-ubuntu2204-base"), ("v4-8", "tpu-ubuntu2204-base"),
    ("v5litepod-1", "v2-alpha-tpuv5-lite"), ("v5litepod-8", "v2-alpha-tpuv5-lite"),
    ("v5p-8", "v2-alpha-tpuv5"), ("v6e-1", "v2-alpha-tpuv6e"), ("v6e-8", "v2-alpha-tpuv6e")])
def test_each_kind_has_its_image(tpu: RunProject, kind: str, image: str) -> None:
    done = tpu.run("run_tpu.sh", *USED, f"--type={kind}", "--name=x", "--project=p", "--dry_run")
    assert (f"create x --accelerator-type={kind} --version={image} --labels=made_by=run_tpu "
            "--zone=us-central1-b --project=p --quiet\n") in done.stdout


@pytest.mark.parametrize("kind", ["v2-32", "v4-16", "v5litepod-16", "v5p-16", "v6e-16", "v1", ""])
def test_other_kinds_are_refused(tpu: RunProject, kind: str) -> None:
    done = tpu.run("run_tpu.sh", *USED, f"--type={kind}")
    assert done.returncode == 2
    assert f"error: --type={kind}: one of v2-8 v3-8 v4-8 v5litepod-1" in done.stderr
    assert "create" not in tpu.calls()


def test_what_a_dry_run_prints_can_be_pasted_and_nothing_is_run(tpu: RunProject) -> None:
    done = tpu.run("run_tpu.sh", *USED, "--dry_run")
    assert done.returncode == 0, done.stderr
    assert tpu.calls() == [] and list(tpu.here.iterdir()) == []
    printed = [shlex.split(line) for line in done.stdout.splitlines()]
    assert [words[0] for words in printed] == ["git", *["gcloud"] * 8, "mkdir", *["gcloud"] * 2]
    [archive, *_] = printed
    assert archive[3:] == ["archive", "--format=tar.gz",
                           f"--output={tpu.env['TMPDIR']}/bert-classifier.tar.gz", "HEAD"]
    [started] = [word for words in printed for word in words if "run_on_tpu_vm.sh start" in word]
    assert shlex.split(started)[2:] == FLAGS
    (tpu.bin / "gcloud").unlink()
    assert tpu.run("run_tpu.sh", *USED, "--dry_run").stdout == done.stdout


# ---- what is wrong is told at once


def test_everything_wrong_is_told_together(tpu: RunProject) -> None:
    done = tpu.run("run_tpu.sh", "--name", "--max_restarts=few", "--init_checkpoint=checkpoints/a",
                   "--use_tpu", "--tpu_name=x", "--output_dir=output/x")
    assert done.returncode == 2
    for part in ("--name: write it as --name=VALUE", "--max_restarts=few: a number",
                 "--init_checkpoint=checkpoints/a: the TPU VM does not see this machine's files",
                 "--output_dir=output/x: the TPU VM does not", "--use_tpu: leave it out",
                 "--tpu_name=x: leave it out", "--zone is missing", "--data_dir is missing",
                 "--type=: one of"):
        assert f"error: {part}" in done.stderr, part
    assert set(tpu.calls()) <= {"auth", "project"}


def test_flags_are_checked_where_their_packages_are(tpu: RunProject) -> None:
    for name in ("run_classifier_custom.py", "finetune", "processors"):
        (tpu.root / name).symlink_to(ROOT / name)
    real = f"#!/usr/bin/env bash\nexec '{sys.executable}' -B \"$@\"\n"
    write_script(tpu.venv / "bin" / "python", real)
    done = tpu.run("run_tpu.sh", *USED, "--lerning_rate=1e-4", "--num_train_epochs=-1")
    assert done.returncode == 2
    assert "error: unknown flag --lerning_rate: did you mean --learning_rate" in done.stderr
    assert "create" not in tpu.calls()
    done = tpu.run("run_tpu.sh", *USED, "--num_train_epochs=-1")
    assert done.returncode == 2 and "error: --num_train_epochs=-1" in done.stderr
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 0 and "flags are checked on the TPU VM" not in done.stderr


def test_gcloud_is_needed_with_an_account_and_a_project(tpu: RunProject) -> None:
    tpu.plan("auth", "true")
    assert "gcloud has no account: gcloud auth login" in tpu.run("run_tpu.sh", *USED).stderr
    tpu.plan("project", "exit 1")
    assert "--project is missing, and gcloud has none" in tpu.run("run_tpu.sh", *USED).stderr
    (tpu.bin / "gcloud").unlink()
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 2 and "gcloud is not installed: https://" in done.stderr


def test_paths_that_are_not_there(tpu: RunProject) -> None:
    tpu.plan("storage-ls", "exit 1", "exit 1", "exit 1")
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 2
    assert "gs://b/data: gcloud finds nothing there" in done.stderr
    assert "gs://b/minilm: gcloud finds nothing there" in done.stderr
    assert "--output_dir=gs://b/run: gcloud finds no such bucket" in done.stderr
    assert tpu.calls() == CHECKED


def test_a_bucket_s_whole_is_a_path_too(tpu: RunProject) -> None:
    assert tpu.run("run_tpu.sh", *USED, "--data_dir=gs://c").returncode == 0
    assert "gcloud storage ls gs://c" in tpu.full_calls()


def test_files_that_the_tpu_vm_will_not_have(tpu: RunProject) -> None:
    (tpu.root / "mine.yaml").touch()
    done = tpu.run("run_tpu.sh", *USED, "--config=mine.yaml", "--labels_file=/tmp/labels",
                   "--engine=original")
    assert done.returncode == 2
    for part in ("--config=mine.yaml: the TPU VM sees gs://", "--labels_file=/tmp/labels: the TPU",
                 "--engine=original: TPUEstimator does not run"):
        assert f"error: {part}" in done.stderr, part
    tpu.commit()
    done = tpu.run("run_tpu.sh", *USED, "--config=mine.yaml", "--labels_file=gs://b/labels")
    assert done.returncode == 0, done.stderr


def test_ssh_does_not_read_what_is_the_caller_s(tpu: RunProject) -> None:
    tpu.plan("follow", "cat")
    script = tpu.root / "scripts" / "run_tpu.sh"
    done = subprocess.run([script, *USED], env=tpu.env, cwd=tpu.here, input="the next task\n",
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "the next task" not in done.stdout


def test_only_a_clone_can_be_copied(project: RunProject) -> None:
    project.add("gcloud", KEY, USUAL)
    done = project.run("run_tpu.sh", *USED)
    assert done.returncode == 2 and "not a git clone with a commit" in done.stderr


def test_what_is_not_committed_is_named(tpu: RunProject) -> None:
    (tpu.root / "my_tasks.py").touch()
    assert "not committed, so not on the TPU VM: my_tasks.py\n" in tpu.run(
        "run_tpu.sh", *USED, "--dry_run").stderr


# ---- a TPU VM that is taken away


def test_taken_away_and_gone_on_with(tpu: RunProject) -> None:
    tpu.plan("follow", "vm PREEMPTED,run_tpu; exit 1")
    tpu.plan("status", "exit 1")
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 0, done.stderr
    assert tpu.calls() == [
        *CHECKED, "list", "create", *TRAINED, "list", "sleep 60",
        "list", "delete", "create", *TRAINED, *FETCHED, *DELETED]
    assert "restart 1 of 10" in done.stderr


def test_taken_away_and_no_room_for_another_at_first(tpu: RunProject) -> None:
    tpu.plan("status", "vm ''; exit 1")
    tpu.plan("create", "vm READY,run_tpu", "exit 1", "exit 1")
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 0, done.stderr
    assert tpu.calls() == [
        *CHECKED, "list", "create", *TRAINED, "list",
        "sleep 60", "list", "create", "sleep 120", "list", "create", "sleep 180", "list", "create",
        *TRAINED, *FETCHED, *DELETED]


def test_taken_away_while_it_was_being_set_up(tpu: RunProject) -> None:
    tpu.plan("start", "vm PREEMPTED,run_tpu; exit 1")
    assert tpu.run("run_tpu.sh", *USED).returncode == 0
    calls = tpu.calls()
    assert calls.count("create") == 2 and calls[-1] == "delete"


@pytest.mark.parametrize("status", ["143", "130", "none"])
def test_stopped_by_a_signal_goes_on(tpu: RunProject, status: str) -> None:
    tpu.plan("status", f"echo {status}")
    assert tpu.run("run_tpu.sh", *USED).returncode == 0
    assert tpu.calls() == [*CHECKED, "list", "create", *TRAINED, "sleep 60", "list", *TRAINED,
                           *FETCHED, *DELETED]


def test_restarts_are_bounded(tpu: RunProject) -> None:
    tpu.plan("status", *["vm PREEMPTED,run_tpu; exit 1"] * 5)
    done = tpu.run("run_tpu.sh", *USED, "--max_restarts=2")
    assert done.returncode == 1
    assert "given up after 2 restarts (--max_restarts=2)" in done.stderr
    calls = tpu.calls()
    assert calls.count("create") == 3 and calls[-2:] == DELETED


def test_ssh_that_is_cut_off_is_taken_up_again(tpu: RunProject) -> None:
    tpu.plan("follow", "exit 255", "exit 255")
    tpu.plan("status", "exit 255", "echo running")
    assert tpu.run("run_tpu.sh", *USED).returncode == 0
    assert tpu.calls() == [*CHECKED, "list", "create", *TRAINED, "list", "sleep 15", "follow",
                           "status", "sleep 15", "follow", "status", *FETCHED, *DELETED]


def test_a_tpu_vm_that_never_answers_is_given_up(tpu: RunProject) -> None:
    tpu.plan("status", *["exit 255"] * 30)
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 1 and "does not answer" in done.stderr
    calls = tpu.calls()
    assert calls.count("status") == 20 and calls[-2:] == DELETED


def test_ssh_that_does_not_work_just_after_the_start(tpu: RunProject) -> None:
    tpu.plan("scp", "exit 1", "exit 1")
    assert tpu.run("run_tpu.sh", *USED).returncode == 0
    assert tpu.calls()[7:12] == ["scp", "sleep 15", "scp", "sleep 15", "scp"]


# ---- other ends


@pytest.mark.parametrize(("status", "text"), [
    ("2", "found a mistake"), ("1", "ended with exit status 1"), ("139", "exit status 139")])
def test_failures_of_the_program_stop_all(tpu: RunProject, status: str, text: str) -> None:
    tpu.plan("follow", 'echo "error: the reason"')
    tpu.plan("status", f"echo {status}")
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == int(status)
    assert text in done.stderr and "error: the reason" in done.stdout
    assert "deleted the TPU VM" in done.stderr and "NOT DELETED" not in done.stderr
    assert tpu.calls() == [*CHECKED, "list", "create", *TRAINED, *DELETED]


@pytest.mark.parametrize(("key", "text"), [
    ("create", "could not be created"), ("start", "could not be started"),
    ("unpack", "could not be started"), ("storage-cp", "they are in gs://b/run")])
def test_what_fails_is_told_and_the_tpu_vm_deleted(tpu: RunProject, key: str, text: str) -> None:
    tpu.plan(key, "vm READY,run_tpu; exit 1")  # even "create" may leave one behind
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 1 and text in done.stderr
    assert tpu.calls()[-2:] == DELETED


def test_nothing_is_deleted_where_nothing_was_made(tpu: RunProject) -> None:
    tpu.plan("create", "exit 1")
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 1 and "NOT DELETED" not in done.stderr
    assert tpu.calls() == [*CHECKED, "list", "create", "list"]


@pytest.mark.parametrize(("program", "status"), [("0", 1), ("2", 2)])
def test_a_deletion_that_fails_is_shouted(tpu: RunProject, program: str, status: int) -> None:
    tpu.plan("status", f"echo {program}")
    tpu.plan("delete", *["exit 1"] * 10)
    done = tpu.run("run_tpu.sh", *USED, "--name=mine", LISTED="mine")
    assert done.returncode == status
    assert "error: THE TPU VM mine WAS NOT DELETED AND COSTS MONEY" in done.stderr
    assert ("\n  gcloud compute tpus tpu-vm delete mine --zone=us-central1-b --quiet\n"
            in done.stderr)


def test_a_deletion_that_fails_at_first_is_tried_again(tpu: RunProject) -> None:
    tpu.plan("delete", "exit 1", "exit 1")
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 0 and "deleted the TPU VM" in done.stderr
    assert tpu.calls()[-6:] == [*DELETED, "sleep 30", "delete", "sleep 30", "delete"]


def test_a_deletion_that_cannot_be_looked_up_is_tried(tpu: RunProject) -> None:
    tpu.plan("list", "true", "exit 1")
    assert tpu.run("run_tpu.sh", *USED).returncode == 0
    assert tpu.calls()[-2:] == DELETED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("key", ["create", "follow"])
def test_ctrl_c_deletes_the_tpu_vm(tpu: RunProject, number: signal.Signals, key: str) -> None:
    (tpu.bin / "hang").symlink_to("/bin/sleep")
    # exec: a shell that waits for a child which ends well goes on after a SIGINT.
    tpu.plan(key, 'vm READY,run_tpu; : >"$PLANS/hangs"; exec hang 30')
    process = tpu.start("run_tpu.sh", *USED)
    wait_for((tpu.plans / "hangs").exists)
    os.killpg(process.pid, number)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 128 + number, error
    assert tpu.calls()[-2:] == DELETED
    assert (tpu.plans / "vm").read_text() == ""


# ---- a TPU VM that is there already, or stays


def test_keep(tpu: RunProject) -> None:
    done = tpu.run("run_tpu.sh", *USED, "--keep")
    assert done.returncode == 0
    assert "stays, and costs money until you delete it:\n  gcloud compute tpus" in done.stderr
    assert "delete" not in tpu.calls()
    done = tpu.run("run_tpu.sh", *USED)  # used again, and deleted
    assert done.returncode == 0
    assert tpu.calls() == [*CHECKED, "list", *TRAINED, *FETCHED, *DELETED]


def test_one_that_others_made_is_used_and_stays(tpu: RunProject) -> None:
    (tpu.plans / "vm").write_text("READY,")
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 0 and "bert-classifier stays" in done.stderr
    assert tpu.calls() == [*CHECKED, "list", *TRAINED, *FETCHED]


@pytest.mark.parametrize("state", ["PREEMPTED,", "STOPPED,somebody", "CREATING,run_tpu"])
def test_one_that_cannot_be_used_is_left_alone(tpu: RunProject, state: str) -> None:
    (tpu.plans / "vm").write_text(state)
    done = tpu.run("run_tpu.sh", *USED)
    assert done.returncode == 1 and "another --name" in done.stderr
    assert tpu.calls() == [*CHECKED, "list"]


def test_what_another_run_uses_is_not_deleted(tpu: RunProject) -> None:
    (tpu.plans / "vm").write_text("READY,run_tpu")
    tpu.plan("start", "exit 2")
    assert tpu.run("run_tpu.sh", *USED).returncode == 1
    assert "delete" not in tpu.calls()


def test_remains_of_an_earlier_run_are_replaced(tpu: RunProject, tmp_path: Path) -> None:
    (tpu.plans / "vm").write_text("PREEMPTED,run_tpu")
    assert tpu.run("run_tpu.sh", *USED).returncode == 0
    assert tpu.calls()[5:8] == ["list", "delete", "create"]
