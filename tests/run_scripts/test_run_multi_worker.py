"""scripts/run_multi_worker.sh with stand-ins for ssh, which runs its command here, and scontrol."""

import json
import os
import shlex
import signal
from pathlib import Path

import pytest

from tests.run_scripts.conftest import RunProject, wait_for
from tests.script_project import write_script

# Notes what it is told, then does the next line that the test has written for this worker.
PYTHON = """#!/usr/bin/env bash
[ "$1" != -c ] || exit 0
index="${TF_CONFIG##*: }" && index="${index%%\\}*}"
shown="$TF_CONFIG"
for word in "$@"; do shown="$shown|$word"; done
echo "$shown" >>"$CALLS.worker$index"
plan="$PLANS/worker$index"
[ -s "$plan" ] || exit 0
line="$(head -n 1 "$plan")"
tail -n +2 "$plan" >"$plan.rest" && mv "$plan.rest" "$plan"
eval "$line"
"""
SSH_OPTIONS = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15",
               "-o", "ServerAliveCountMax=4"]
# What a worker does that waits for others: it ends in the way of the program when it is told to.
WAITS = "trap 'echo told to end; exit 129' HUP; :>$PLANS/waits; while :; do hang 0.02; done"
ONCE_IT_WAITS = "until [ -e $PLANS/waits ]; do hang 0.02; done; "
GONE = WAITS.replace("129", "3")  # it has found that another worker is gone
FLAGS = ["--do_train", "--text_column=title,the body"]


@pytest.fixture
def cluster(project: RunProject) -> RunProject:
    write_script(project.venv / "bin" / "python", PYTHON)
    # "a" of "ssh -o ... a 'cd ...'", or "check a" where only the folders are looked at
    # As ssh it ends at the end of all that is written, whoever writes it.
    project.add("ssh", 'case "${@: -1}" in *"test -x"*) echo "check ${*: -2:1}" ;; '
                       '*) echo "${*: -2:1}" ;; esac',
                'bash -c "${@: -1}" 2>&1 | cat; exit "${PIPESTATUS[0]}"')
    (project.bin / "hang").symlink_to(Path("/bin/sleep"))
    project.add("sleep", 'echo "sleep $1"',
                'case "$1" in 120) hang 3 ;; *) hang 0.02 ;; esac')
    (project.here / "hosts").write_text("# two machines\na\n\nb:777 # the second\n")
    return project


def workers(cluster: RunProject, index: int) -> list[tuple[dict, list[str]]]:
    """TF_CONFIG and arguments of every start of one worker."""
    path = Path(f"{cluster.calls_file}.worker{index}")
    found = [line.split("|") for line in path.read_text().splitlines()] if path.exists() else []
    return [(json.loads(config), words) for config, *words in found]


def calls(cluster: RunProject) -> list[str]:
    return [call for call in cluster.calls() if call not in ("sleep 1", "sleep 120")]


def test_two_machines(cluster: RunProject) -> None:
    cluster.plan("worker0", "echo a line; printf 'the last' >&2")
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts", *FLAGS)
    assert done.returncode == 0, done.stderr
    for index in (0, 1):
        assert workers(cluster, index) == [(
            {"cluster": {"worker": ["a:12345", "b:777"]},
             "task": {"type": "worker", "index": index}},
            [f"{cluster.root}/run_classifier_custom.py", "--distribution=multi_worker", *FLAGS])]
    assert sorted(done.stdout.splitlines()) == ["[a:12345] a line", "[a:12345] the last"]
    made = calls(cluster)
    assert made[:2] == ["check a", "check b"] and sorted(made[2:]) == ["a", "b"]
    assert all(" ".join(["ssh", *SSH_OPTIONS]) in call for call in cluster.full_calls()
               if call.startswith("ssh"))
    assert not [path for path in cluster.here.parent.iterdir() if path.name.startswith("tmp.")]


def test_the_command_stands_in_the_reader_s_folder_with_his_environment(
        cluster: RunProject, tmp_path: Path) -> None:
    other = write_script(tmp_path / "my venv" / "bin" / "python", PYTHON).parents[1]
    cluster.plan("worker1", "pwd")
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts", "--port=99", VENV=str(other))
    assert done.stdout == f"[b:777] {cluster.here}\n"
    assert workers(cluster, 0)[0][0]["cluster"]["worker"] == ["a:99", "b:777"]


def test_one_that_fails_ends_the_others_and_a_mistake_is_not_tried_again(
        cluster: RunProject) -> None:
    cluster.plan("worker0", WAITS)
    cluster.plan("worker1", f"{ONCE_IT_WAITS}echo error: a mistake >&2; exit 2")
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts")
    assert done.returncode == 2, done.stderr
    assert "[b:777] error: a mistake\n" in done.stdout
    assert "[a:12345] told to end\n" in done.stdout
    assert "b:777 ended with exit status 2\n" in done.stderr
    assert len(workers(cluster, 0)) == len(workers(cluster, 1)) == 1


@pytest.mark.parametrize(("first", "second"), [
    (GONE, "kill -9 $$"),
    (WAITS, "exit 3"), (WAITS, "exit 143")])
def test_a_worker_that_is_gone_starts_all_again(cluster: RunProject, first: str,
                                                second: str) -> None:
    cluster.plan("worker0", first)
    cluster.plan("worker1", ONCE_IT_WAITS + second)
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts")
    assert done.returncode == 0, done.stderr
    assert "starting all again from the last checkpoint, 1 of 3" in done.stderr
    assert len(workers(cluster, 0)) == len(workers(cluster, 1)) == 2
    assert workers(cluster, 0)[0] == workers(cluster, 0)[1]


def test_a_machine_that_is_lost_starts_all_again(cluster: RunProject) -> None:
    cluster.plan("worker0", WAITS)
    cluster.plan("b", f"{ONCE_IT_WAITS}exit 255")
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts")
    assert done.returncode == 0, done.stderr
    assert "b:777 ended with exit status 255" in done.stderr
    assert calls(cluster).count("sleep 10") == 1


def test_restarts_are_bounded(cluster: RunProject) -> None:
    cluster.plan("worker1", *["exit 3"] * 9)
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts", "--max_restarts=2")
    assert done.returncode == 3
    assert len(workers(cluster, 1)) == 3


@pytest.mark.parametrize("crashed", [0, 1])
def test_a_crash_counts_more_than_the_others_loss_of_it(cluster: RunProject, crashed: int) -> None:
    cluster.plan(f"worker{1 - crashed}", GONE)
    cluster.plan(f"worker{crashed}", f"{ONCE_IT_WAITS}exit 1")
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts")
    assert done.returncode == 1
    assert len(workers(cluster, 0)) == 1


def test_a_worker_that_does_not_end_is_killed(cluster: RunProject) -> None:
    cluster.plan("worker0", "trap '' HUP; :>$PLANS/waits; while :; do hang 0.02; done")
    cluster.plan("worker1", f"{ONCE_IT_WAITS}exit 2")
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts")
    assert done.returncode == 2, done.stderr
    assert "a:12345 ended with exit status 137\n" in done.stderr
    assert "sleep 120" in cluster.calls()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_in_their_own_way(cluster: RunProject, number: signal.Signals) -> None:
    for name in ("worker0", "worker1"):
        cluster.plan(name, WAITS.replace("while", "echo ready; while"))
    process = cluster.start("run_multi_worker.sh", "--hosts=hosts")
    wait_for(lambda: workers(cluster, 0) and workers(cluster, 1))
    process.stdout.readline(), process.stdout.readline()
    os.kill(process.pid, number)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 128 + number, error
    assert sorted(out.splitlines()) == ["[a:12345] told to end", "[b:777] told to end"]


def test_a_dry_run_prints_what_ssh_would_run(cluster: RunProject) -> None:
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts", "--dry_run", *FLAGS)
    assert done.returncode == 0 and calls(cluster) == []
    printed = [shlex.split(line) for line in done.stdout.splitlines()]
    assert [words[:-1] for words in printed] == [["ssh", *SSH_OPTIONS, host] for host in "ab"]
    assert shlex.split(printed[1][-1])[-3:] == ["--until_eof", *FLAGS]


def test_everything_wrong_is_told_together(cluster: RunProject) -> None:
    (cluster.here / "bad").write_text("a\na:12345\nuser@b\nc:port\n")
    done = cluster.run("run_multi_worker.sh", "--hosts=bad", "--max_restarts", "--port=x",
                       "--use_tpu")
    assert done.returncode == 2
    for part in ("--max_restarts: write it as", "--port=x: a number", "--use_tpu: leave it out",
                 "bad:3: user@b is neither HOST nor HOST:PORT", "bad:4: c:port is neither"):
        assert f"error: {part}" in done.stderr
    done = cluster.run("run_multi_worker.sh", "--hosts=", "--port=", TF_CONFIG="{}")
    assert done.returncode == 2  # of variables that nothing has set; no worker alone
    for flag in ("--hosts", "--port"):
        assert f"error: {flag}: write it as {flag}=VALUE" in done.stderr
    done = cluster.run("run_multi_worker.sh", "--hosts=bad")
    assert "bad:2: a:12345 is there already" in done.stderr
    (cluster.here / "one").write_text("a")
    assert "one: 1 machines; with one, run" in cluster.run(
        "run_multi_worker.sh", "--hosts=one").stderr
    assert "--hosts=gone: no such file" in cluster.run(
        "run_multi_worker.sh", "--hosts=gone").stderr
    assert "which machines?" in cluster.run("run_multi_worker.sh").stderr
    assert calls(cluster) == []


def test_machines_that_cannot_be_used_are_all_named_before_any_starts(cluster: RunProject) -> None:
    for host in "ab":
        cluster.plan(f"check {host}", "exit 255")
    done = cluster.run("run_multi_worker.sh", "--hosts=hosts")
    assert done.returncode == 2
    assert "a: not reached by ssh" in done.stderr and "b: not reached by ssh" in done.stderr
    assert calls(cluster) == ["check a", "check b"]


# ---- one worker


SLURM = {"SLURM_JOB_ID": "20001", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_PROCID": "1",
         "SLURM_NTASKS": "2", "SLURM_NNODES": "2", "SLURM_STEP_ID": "0"}


@pytest.fixture
def slurm(cluster: RunProject) -> RunProject:
    cluster.add("scontrol", 'echo "$*"', "echo node1; echo node2")
    return cluster


def test_slurm(slurm: RunProject) -> None:
    slurm.plan("worker1", "exit 3")
    done = slurm.run("run_multi_worker.sh", *FLAGS, **SLURM)
    assert done.returncode == 3, done.stderr
    [(config, words)] = workers(slurm, 1)
    assert config == {"cluster": {"worker": ["node1:12001", "node2:12001"]},
                      "task": {"type": "worker", "index": 1}}
    assert words[1:] == ["--distribution=multi_worker", *FLAGS]
    assert calls(slurm) == ["show hostnames node[1-2]"]


def test_a_step_may_use_a_part_of_the_job_s_machines(slurm: RunProject) -> None:
    done = slurm.run("run_multi_worker.sh", **SLURM | {
        "SLURM_JOB_NODELIST": "node[1-4]", "SLURM_STEP_NODELIST": "node[1-2]"})
    assert done.returncode == 0, done.stderr
    assert calls(slurm) == ["show hostnames node[1-2]"]


def test_slurm_needs_one_task_a_machine_and_srun(slurm: RunProject) -> None:
    done = slurm.run("run_multi_worker.sh", **SLURM | {"SLURM_NTASKS": "8"})
    assert done.returncode == 2
    assert "SLURM has 2 machines and 8 tasks" in done.stderr
    without = {name: value for name, value in SLURM.items() if name != "SLURM_STEP_ID"}
    done = slurm.run("run_multi_worker.sh", **without)
    assert done.returncode == 2 and "start it with srun" in done.stderr
    assert workers(slurm, 1) == []


def test_slurm_s_signals_reach_the_program(slurm: RunProject) -> None:
    slurm.plan("worker1", WAITS.replace("129' HUP", "143' TERM").replace(
        "while", "echo ready; while"))
    process = slurm.start("run_multi_worker.sh", **SLURM)
    assert process.stdout.readline() == "ready\n"
    process.terminate()  # this process alone
    assert process.communicate(timeout=20)[0] == "told to end\n"
    assert process.returncode == 143


def test_a_tf_config_of_others_is_used(cluster: RunProject) -> None:
    config = {"cluster": {"worker": ["x:1", "y:2"]}, "task": {"type": "worker", "index": 0}}
    done = cluster.run("run_multi_worker.sh", *FLAGS, TF_CONFIG=json.dumps(config))
    assert done.returncode == 0, done.stderr
    assert [each for each, _ in workers(cluster, 0)] == [config]
