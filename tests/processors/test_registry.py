import subprocess
import sys
from pathlib import Path

import pytest

import processors
from processors import DataError, DataProcessor, registry

ROOT = Path(processors.__file__).parents[1]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder of its own; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def empty_registry(monkeypatch):
    monkeypatch.setattr(registry, "_by_name", {})


def make(name="toy", **attributes):
    return type("Toy", (DataProcessor,), {"name": name, **attributes})


# register, names, get


def test_every_task_module_registers_itself():
    """One class a module, and a module for every task: the folder is the only list."""
    modules = {registry.get(name).__module__ for name in registry.names()}
    assert len(modules) == len(registry.names())
    assert {"cola", "delimited", "mnli", "mrpc", "sst-2", "xnli"} <= set(registry.names())
    assert all(registry.get(name).__doc__ for name in registry.names())


def test_a_new_file_is_all_a_task_needs(tmp_path):
    for module in (ROOT / "processors").glob("*.py"):
        (tmp_path / "processors").mkdir(exist_ok=True)
        (tmp_path / "processors" / module.name).write_bytes(module.read_bytes())
    (tmp_path / "processors" / "subj.py").write_text(
        "from processors.base import Split, TsvProcessor\n"
        "from processors.registry import register\n"
        "@register\nclass Subj(TsvProcessor):\n    name = 'subj'\n    labels = ('0', '1')\n")
    code = "import processors; print('subj' in processors.names())"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                          text=True, check=True).stdout == "True\n"


def test_import_is_light():
    code = ("import sys, processors\n"
            "print(sorted({'tensorflow', 'numpy', 'absl', 'bert', 'finetune'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout == "[]\n"


def test_registered_names_and_aliases_are_found(empty_registry):
    toy = make("toy-1", aliases=("t1",))
    assert registry.register(toy) is toy
    assert registry.get("TOY-1") is registry.get("t1") is toy
    assert registry.names() == ["toy-1"]


@pytest.mark.parametrize("name", ["Toy", "", "to y", "toy.x", "toy\n", None])
def test_bad_names_are_refused(empty_registry, name):
    with pytest.raises(ValueError, match="is not made of a-z 0-9 _ -"):
        registry.register(make(name))
    assert registry.names() == []


def test_taken_names_are_refused(empty_registry):
    registry.register(make("toy", aliases=("t",)))
    for other in (make("toy"), make("t"), make("x", aliases=("toy",)), make("y", aliases=("y",))):
        with pytest.raises(ValueError, match="is taken by .*Toy"):
            registry.register(other)
    assert registry.names() == ["toy"]


def test_classes_without_the_four_methods_are_refused(empty_registry):
    with pytest.raises(TypeError, match="Bare lacks get_train_examples, get_dev_examples, "
                                        "get_test_examples, get_labels"):
        registry.register(type("Bare", (), {"name": "bare"}))


@pytest.mark.parametrize("name, problem", [
    ("mprc", '--task_name=mprc: there is no such task, closest is "mrpc"; tasks: ax, cola, '),
    ("SST_2", '--task_name=SST_2: there is no such task, closest is "sst'),
    ("zzzzz", "--task_name=zzzzz: there is no such task; tasks: ax, cola, delimited, "),
])
def test_unknown_tasks_are_answered(problems, name, problem):
    found = problems(registry.get, name)
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_options_are_what_a_constructor_takes():
    assert registry.options(registry.get("mrpc")) == {"labels", "header", "encoding"}
    assert registry.options(registry.get("xnli")) == {"labels", "header", "encoding", "language"}
    assert registry.options(make()) == frozenset()


# load


GOOD = """
class {base}:
    def get_train_examples(self, data_dir): raise NotImplementedError()
    def get_dev_examples(self, data_dir): raise NotImplementedError()
    def get_test_examples(self, data_dir): raise NotImplementedError()
    def get_labels(self): raise NotImplementedError()
class Tickets({base}):
    def get_train_examples(self, data_dir): return []
    def get_labels(self): return ["a", "b"]
class NoLabels({base}):
    def get_train_examples(self, data_dir): return []
class Bare:
    def get_labels(self): return []
answer = 42
"""


@pytest.fixture
def tasks(here):
    (here / "my_tasks.py").write_text(GOOD.format(base="DataProcessor"))
    return here


def test_load_finds_a_class_in_the_current_folder(tasks):
    assert registry.load("my_tasks:Tickets")().get_labels() == ["a", "b"]


def test_load_finds_a_class_in_a_package(here):
    (here / "pack").mkdir()
    (here / "pack" / "__init__.py").write_text("")
    (here / "pack" / "tasks.py").write_text(GOOD.format(base="DataProcessor"))
    assert registry.load("pack.tasks:Tickets").__module__ == "pack.tasks"


@pytest.mark.parametrize("spec", ["my_tasks", "my_tasks:", ":Tickets", "my_tasks.py:Tickets",
                                  "./my_tasks:Tickets", "my_tasks:Tickets:x", "my-tasks:Tickets"])
def test_load_explains_its_spelling(tasks, problems, spec):
    assert problems(registry.load, spec) == [
        f"--processor={spec}: write package.module:ClassName, for example my_tasks:TicketProcessor "
        "for a class in ./my_tasks.py"]


@pytest.mark.parametrize("spec, problem", [
    ("my_task:Tickets", "--processor=my_task:Tickets: there is no module my_task in DIR or among "
                        'the installed ones, closest is "my_tasks"'),
    ("pack.tasks:X", "--processor=pack.tasks:X: there is no module pack in DIR or among the "
                     "installed ones"),
    ("my_tasks:Ticket", '--processor=my_tasks:Ticket: "my_tasks.py" has no Ticket, closest is '
                        '"Tickets"; its processors: DataProcessor, Tickets, NoLabels'),
    ("my_tasks:answer", '--processor=my_tasks:answer: answer in "my_tasks.py" is not a class, but '
                        "int"),
    ("my_tasks:Bare", '--processor=my_tasks:Bare: Bare in "my_tasks.py" lacks get_train_examples, '
                      "get_dev_examples, get_test_examples; a processor has get_train_examples, "
                      "get_dev_examples, get_test_examples, get_labels"),
    ("my_tasks:NoLabels", '--processor=my_tasks:NoLabels: NoLabels in "my_tasks.py" is abstract: '
                          "it does not define get_dev_examples, get_test_examples, get_labels"),
    ("my_tasks:DataProcessor", "--processor=my_tasks:DataProcessor: DataProcessor in "
                               '"my_tasks.py" is abstract: it does not define get_train_examples, '
                               "get_dev_examples, get_test_examples, get_labels"),
])
def test_load_problems(tasks, problems, spec, problem):
    assert problems(registry.load, spec) == [problem]


@pytest.mark.parametrize("code, problem", [
    ("import re\n\ndef f():\n    return int('x')\nf()\n",
     "my_tasks.py:4: ValueError: invalid literal for int() with base 10: 'x'"),
    ("import re\nre.compile('(')\n", "my_tasks.py:2: "),
    ("\nimport surely_not_installed\n",
     "my_tasks.py:2: ModuleNotFoundError: No module named 'surely_not_installed'"),
    ("x = 1\ny = = 2\n", "my_tasks.py:2: SyntaxError: invalid syntax"),
    ("raise SystemExit(3)\n", "my_tasks.py:1: SystemExit: 3"),
])
def test_load_names_the_line_of_the_user_that_failed(here, problems, code, problem):
    (here / "my_tasks.py").write_text(code)
    found = problems(registry.load, "my_tasks:Tickets")
    assert len(found) == 1
    assert found[0].startswith("--processor=my_tasks:Tickets: importing my_tasks failed at "
                               + problem)


def test_load_refuses_abstract_base_classes(here):
    (here / "my_tasks.py").write_text(
        "import abc\nfrom processors import DataProcessor\n"
        "class Tickets(DataProcessor, abc.ABC):\n"
        "    @abc.abstractmethod\n    def get_labels(self): ...\n")
    with pytest.raises(DataError, match="is abstract: it does not define get_labels"):
        registry.load("my_tasks:Tickets")
