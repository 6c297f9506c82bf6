"""No Python file of the project, tests and benchmarks included, has what could run what it reads.

Names are followed through imports: `from pickle import loads as f` counts as pickle. What is needed
all the same stands in ALLOWED with its reason, and an entry that is needed no more fails.
"""

import ast
import re

import pytest

from tests.conftest import ROOT

# Whole modules, and single names of others.
FORBIDDEN = {
    "pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "runpy",
    "ctypes", "eval", "exec", "compile", "__import__", "importlib.import_module", "os.system",
    "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp",
    "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.Loader",
    "yaml.FullLoader", "yaml.UnsafeLoader", "torch.load", "torch.hub",
    "pandas.read_pickle", "tarfile", "shutil.unpack_archive", "tensorflow.saved_model.load",
    "tensorflow.saved_model.loader", "tensorflow.py_function", "tensorflow.numpy_function",
    "tensorflow.py_func", "tensorflow.load_op_library", "tensorflow.load_library",
    "tensorflow.keras.models.load_model", "tensorflow_hub.load", "tensorflow_hub.KerasLayer",
    "tensorflow_hub.Module", "ssl.CERT_NONE", "ssl._create_unverified_context",
    "urllib.request.urlopen", "urllib.request.urlretrieve"}
KEYWORDS = {"allow_pickle": True, "shell": True, "trust_remote_code": True, "verify": False,
            "weights_only": False, "check_hostname": False}

ALLOWED = {
    ("finetune/sources/torch_file.py", "pickle"): "no name is found but stand-ins",
    ("finetune/settings.py", "yaml.load"): "with a Loader made of SafeLoader, some lines above",
    ("processors/__init__.py", "importlib.import_module"): "the project's own modules, as `ls` has",
    ("processors/registry.py", "importlib.import_module"): "--processor is the user's own code",
    # Tests make what has to be refused, and show that it would work on those who do not refuse.
    ("tests/estimators/test_estimator.py", "pickle"): "is refused by an estimator",
    ("tests/use/test_trained.py", "pickle"): "is refused by a Predictor",
    ("tests/sources/test_torch_file.py", "pickle"): "makes files, good ones and attacks",
    ("tests/security/test_hostile_models.py", "pickle"): "makes attacks and shows that they work",
    ("tests/security/test_hostile_models.py", "tensorflow.saved_model.load"): "shows an attack",
    ("tests/security/test_hostile_settings.py", "yaml.unsafe_load"): "shows an attack",
    ("tests/security/test_hostile_archives.py", "tarfile"): "makes archives",
    ("tests/sources/test_hub.py", "tarfile"): "makes an archive",
    ("tests/sources/test_hub.py", "tensorflow.saved_model.load"): "shows that it fails where ours "
                                                                  "reads",
    ("finetune/export/saved_model.py", "tensorflow.saved_model.load"): "what it has just written, "
                                                                      "to compare its answers",
    ("tests/export/test_formats.py", "tensorflow.saved_model.load"): "what the export has written",
    ("tests/export/test_runs.py", "tensorflow.saved_model.load"): "what the export has written",
    ("tests/parity/hub_modules.py", "tensorflow.saved_model.load"): "a module that it made itself",
    ("tests/training/test_step.py", "tensorflow.py_function"): "counts calls",
    ("tests/test_readme.py", "exec"): "runs the README's own Python",
    ("tests/test_readme.py", "importlib.import_module"): "the project's benchmarks, by name",
}


def python_files():
    """Yields (path in the project, source) of every Python file."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        if not any(part.startswith(".") for part in parts) and parts[0] != "output":
            yield "/".join(parts), path.read_text(encoding="utf-8")


def python_in_scripts():
    """Yields (path, source) of the Python that stands in shell scripts, between <<'END' and END."""
    for path in sorted((ROOT / "scripts").glob("*.sh")):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r"<<'END'.*\n((?:.*\n)*?)END\n", text):
            yield f"scripts/{path.name}", found[1]


def name_of(node, imported):
    """Returns the full name that an expression stands for: np.load -> numpy.load, or None."""
    if isinstance(node, ast.Name):
        return imported.get(node.id, node.id)
    above = name_of(node.value, imported) if isinstance(node, ast.Attribute) else None
    return f"{above}.{node.attr}".replace(".compat.v1.", ".") if above else None


def forbidden(name):
    """Returns what of FORBIDDEN a name is or lies in, or None."""
    return next((each for each in FORBIDDEN if f"{name}.".startswith(f"{each}.")), None)


def findings(source):
    """Yields every forbidden name and keyword of a source."""
    tree, imported = ast.parse(source), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            start = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                imported[alias.asname or alias.name.partition(".")[0]] = (
                    start + alias.name if alias.asname or start else alias.name.partition(".")[0])
                yield forbidden(start + alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            yield forbidden(name_of(node, imported) or "")
        elif isinstance(node, ast.keyword) and node.arg in KEYWORDS:
            worst = KEYWORDS[node.arg]
            # A value that is computed counts too: nobody can tell what it will be.
            given = node.value.value if isinstance(node.value, ast.Constant) else worst
            yield f"{node.arg}={worst}" if given is worst else None


def test_no_file_can_run_what_it_reads():
    files = [*python_files(), *python_in_scripts()]
    assert len(files) > 150
    found = {(path, what) for path, source in files for what in findings(source) if what}
    assert found == set(ALLOWED)


@pytest.mark.parametrize("line", [
    "import pickle", "from pickle import loads", "import cloudpickle as c", "import marshal",
    "import shelve", "import dill", "from joblib import load", "eval('1')", "exec('1')",
    "f = eval", "compile('1', '', 'eval')", "__import__('os')",
    "import importlib\nimportlib.import_module('x')", "from importlib import import_module",
    "import os\nos.system('x')", "import os as o\no.popen('x')",
    "import subprocess\nsubprocess.run('x', shell=True)", "run('x', shell=flag)",
    "run('x', shell=self.flag)",
    "import yaml\nyaml.load(text, yaml.Loader)", "import yaml as y\ny.unsafe_load(text)",
    "import torch\ntorch.load('x')", "from torch import load as f",
    "import numpy as np\nnp.load('x', allow_pickle=True)", "read('x', allow_pickle=True)",
    "model('x', trust_remote_code=True)", "get('x', verify=False)", "import tarfile",
    "import tensorflow as tf\ntf.saved_model.load('x')",
    "import tensorflow.compat.v1 as tf\ntf.py_func(f)",
    "import tensorflow as tf\ntf.compat.v1.py_func(f)",
    "from tensorflow import saved_model\nsaved_model.load('x')",
    "import tensorflow_hub as hub\nhub.load('x')", "import ssl\ncontext.mode = ssl.CERT_NONE",
    "import urllib.request\nurllib.request.urlopen('x')", "import tempfile\ntempfile.mktemp()"])
def test_it_would_be_found(line):
    assert any(findings(line))


@pytest.mark.parametrize("line", [
    "model.eval()", "import re\nre.compile('x')", "import yaml\nyaml.safe_load(text)",
    "import subprocess\nsubprocess.run(['x'])", "import json\njson.load(file)",
    "import numpy as np\nnp.load('x')",
    "import safetensors.numpy\nsafetensors.numpy.load_file('x')", "get('x', verify=True)"])
def test_what_is_harmless_is_not(line):
    assert not any(findings(line))


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.sh")), ids=lambda p: p.name)
def test_shell_scripts_fetch_by_pip_alone_and_evaluate_nothing(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines()
             if not line.lstrip().startswith("#")]
    text = "\n".join(lines)
    assert not re.search(r"(^|[\s;&|(])(eval|curl|wget)\s", text)
    assert "http://" not in text
    assert not re.search(r"--trusted-host|--no-verify|StrictHostKeyChecking=no|chmod\s+777", text)
    installs = re.findall(r"-m pip install (.*)", text)
    assert all(("pip_options[@]" in line) or path.name == "test.sh" for line in installs)
    if path.name == "setup.sh":
        assert "pip_options=(--require-hashes)" in text
        assert re.findall(r"pip_options.?=.*", text) == [
            "pip_options=(--require-hashes)",
            "pip_options+=(--no-deps) # tf-keras asks for tensorflow, which would overwrite "
            "tensorflow-tpu's"]
