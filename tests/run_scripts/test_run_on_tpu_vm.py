"""scripts/run_on_tpu_vm.sh, on no TPU VM, with stand-ins for python and setup.sh."""

import pytest

from tests.run_scripts.conftest import RunProject, wait_for
from tests.script_project import write_script

PYTHON = """#!/usr/bin/env bash
case "$*" in
    *get_library_path*) echo /somewhere/libtpu.so ;;
    *)
        echo "$TPU_NAME $NEXT_PLUGGABLE_DEVICE_USE_C_API $TF_PLUGGABLE_DEVICE_LIBRARY_PATH"
        for word in "$@"; do echo "[$word]"; done
        while [ ! -e "$PLANS/end" ]; do sleep 0.02; done
        echo done >&2
        exit "$(<"$PLANS/end")"
        ;;
esac
"""


@pytest.fixture
def vm(project: RunProject) -> RunProject:
    python = write_script(project.bin / "of the environment", PYTHON)
    setup = f'#!/usr/bin/env bash\necho "setup $*" >>"$CALLS"\necho "{python}"\n'
    write_script(project.root / "scripts" / "setup.sh", setup)
    project.add("python3", "echo python3")
    project.add("sudo", 'shift && echo "$*"')
    return project


def ask(vm: RunProject, *words: str) -> str:
    done = vm.run("run_on_tpu_vm.sh", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_start_to_end(vm: RunProject) -> None:
    assert ask(vm, "status") == "none\n"
    ask(vm, "start", "--do_train", "--text_column=title,the body")  # returns while it runs
    assert ask(vm, "status") == "running\n"
    following = vm.start("run_on_tpu_vm.sh", "follow")
    (vm.plans / "end").write_text("3")
    out, _ = following.communicate(timeout=20)
    assert out.splitlines() == [
        "local true /somewhere/libtpu.so", "[run_classifier_custom.py]", "[--use_tpu]",
        "[--tpu_name=local]", "[--do_train]", "[--text_column=title,the body]", "done"]
    wait_for(lambda: ask(vm, "status") == "3\n")
    assert vm.calls() == ["python3", "setup --tpu"]


def test_the_same_run_is_joined_and_another_refused(vm: RunProject) -> None:
    ask(vm, "start", "--do_train")
    ask(vm, "start", "--do_train")
    refused = vm.run("run_on_tpu_vm.sh", "start", "--do_eval")
    assert refused.returncode == 2 and "another run is at work" in refused.stderr
    assert vm.calls() == ["python3", "setup --tpu"]
    (vm.plans / "end").write_text("0")
    wait_for(lambda: ask(vm, "status") == "0\n")
    (vm.plans / "end").unlink()
    ask(vm, "start", "--do_eval")  # a run that has ended is in nobody's way
    assert ask(vm, "status") == "running\n"
    (vm.plans / "end").write_text("0")
    wait_for(lambda: ask(vm, "status") == "0\n")


def test_a_call_that_ssh_lost_and_its_repetition_start_one_run(vm: RunProject) -> None:
    setup = vm.root / "scripts" / "setup.sh"
    write_script(setup, setup.read_text() + "sleep 1\n")
    both = [vm.start("run_on_tpu_vm.sh", "start", "--do_train") for _ in range(2)]
    assert [process.wait(timeout=20) for process in both] == [0, 0]
    assert vm.calls() == ["python3", "setup --tpu"]
    (vm.plans / "end").write_text("0")
    wait_for(lambda: ask(vm, "status") == "0\n")


def test_a_run_that_died_with_its_machine(vm: RunProject) -> None:
    state = vm.root / "run_on_tpu_vm"
    state.mkdir()
    (state / "pid").write_text("999999999")
    assert ask(vm, "status") == "none\n"


def test_the_venv_module_is_brought_where_it_lacks(vm: RunProject) -> None:
    vm.add("sleep", 'echo "sleep $1"')
    vm.plan("python3", "exit 1", "exit 1")
    vm.plan("-qq update", "exit 100")  # somebody else reads the lists
    (vm.plans / "end").write_text("0")
    ask(vm, "start")
    assert vm.calls() == [
        "python3", "-qq update", "python3", "sleep 30", "-qq update",
        "-o DPkg::Lock::Timeout=600 -qqy install python3-venv", "python3", "setup --tpu"]
    wait_for(lambda: ask(vm, "status") == "0\n")


def test_an_installation_that_fails_starts_nothing(vm: RunProject) -> None:
    write_script(vm.root / "scripts" / "setup.sh", "#!/usr/bin/env bash\necho why >&2\nexit 1\n")
    done = vm.run("run_on_tpu_vm.sh", "start", "--do_train")
    assert done.returncode != 0 and "why" in done.stderr
    assert ask(vm, "status") == "none\n"


def test_anything_else_is_refused(vm: RunProject) -> None:
    assert vm.run("run_on_tpu_vm.sh", "begin").returncode == 2
