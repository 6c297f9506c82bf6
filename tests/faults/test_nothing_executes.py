"""What is loaded cannot execute: no way to it in the source, and real attempts through the flags.

Attempts on pytorch_model.bin, zips, addresses and hashes are in tests/sources, test_torch_file.py
and test_download.py.
"""

import ast

import pytest
import yaml

from tests.test_architecture import TREES

# What can run what it reads, by name of the function or module.
MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle",
           "tarfile", "ctypes"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load",
         "tf.saved_model.load", "tf.compat.v1.saved_model.load", "tf.keras.models.load_model",
         "tf.py_function", "tf.numpy_function", "hub.load", "tensorflow_hub.load",
         "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "shutil.unpack_archive"}
OPTIONS = {("allow_pickle", True), ("shell", True), ("trust_remote_code", True), ("verify", False)}
ALLOWED = {
    ("finetune.sources.torch_file", "pickle"): "its Unpickler has a find_class that imports none",
    ("finetune.settings", "yaml.load"): "with a subclass of yaml.SafeLoader",
    ("benchmarks.peers.huggingface", "eval"): "model.eval() of PyTorch",
}


def found():
    """Yields (module, what) for each use of something that can execute what it reads."""
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names]
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
                yield from ((module, name) for name in names if name.partition(".")[0] in MODULES)
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in CALLS or called == "yaml.load":
                    yield module, called
                for option in node.keywords:
                    if isinstance(option.value, ast.Constant) and (
                            option.arg, option.value.value) in OPTIONS:
                        yield module, f"{option.arg}={option.value.value}"


def test_no_module_can_run_what_it_reads(tally):
    uses = set(found())
    count = tally("source files that could run what they read", len(TREES), 0)
    wrong = {use for use in uses if use not in ALLOWED}
    count.survived = len(TREES) - len({module for module, _ in wrong})
    count.detail = "no pickle, no unsafe YAML, no shell, no SavedModel run; " + "; ".join(
        f"{name} in {module}: {why}" for (module, name), why in sorted(ALLOWED.items())
        if (module, name) in uses)
    assert not wrong
    assert ("finetune.sources.torch_file", "pickle") in uses  # the search finds what is there


def test_the_loader_of_yaml_is_a_safe_one():
    [loader] = [node for node in ast.walk(TREES["finetune.settings"])
                if isinstance(node, ast.ClassDef) and node.name == "Loader"]
    assert [ast.unparse(base) for base in loader.bases] == ["yaml.SafeLoader"]


ATTEMPTS = ["!!python/object/apply:os.system ['touch {0}']",
            "!!python/object/new:subprocess.Popen [['touch', '{0}']]",
            "!!python/object/apply:subprocess.check_output [['touch', '{0}']]",
            "!!python/name:os.system", "!!python/module:os", "!!python/object:os.stat_result {{}}",
            "!!python/object/apply:builtins.exec ['open(\"{0}\", \"w\")']"]


@pytest.mark.parametrize("flag", ["config", "sweep"])
def test_yaml_that_asks_for_execution(flag, main, tiny, issues, tmp_path, tally):
    canary = tmp_path / "canary"
    count = tally(f"YAML for --{flag} that asks for execution", len(ATTEMPTS), 0,
                  "refused with the file's name, nothing run")
    for attempt in ATTEMPTS:
        path = tmp_path / "evil.yaml"
        path.write_text(f"learning_rate: {attempt.format(canary)}\n")
        status, said = main(f"--data_dir={issues}", f"--init_checkpoint={tiny}", "--do_train",
                            f"--output_dir={tmp_path / 'out'}", f"--{flag}={path}")
        assert status == 2 and f"--{flag}={path}" in said and "Traceback" not in said, said
        assert not canary.exists() and not (tmp_path / "out").exists()
        count.survived += 1


def test_the_attempts_are_real(tmp_path):
    """A loader that executes does what they ask for."""
    yaml.load(ATTEMPTS[0].format(tmp_path / "canary"), yaml.UnsafeLoader)
    assert (tmp_path / "canary").exists()
