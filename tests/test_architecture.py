"""Who may import whom, and how long things may get: DESIGN.md, sections 3 and 6."""

import ast
import graphlib
import re
import sys

from tests.conftest import ROOT

ENTRY = "run_classifier_custom"


def project():
    """Returns every Python file of ours by its name, tests apart: "finetune.config" -> path."""
    paths = [*ROOT.glob("*.py"), *(path for folder in ("finetune", "processors", "scripts",
                                                       "benchmarks", "examples")
                                   for path in (ROOT / folder).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
            for path in paths}


FILES = project()
TREES = {name: ast.parse(path.read_text(), str(path)) for name, path in FILES.items()}


def is_for_types_only(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(tree):
    """Yields the full name of all that a module imports, wherever in it the import stands."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not is_for_types_only(node):
            yield from imports(node)


IMPORTS = {name: set(imports(tree)) for name, tree in TREES.items()}


def packages(name):
    return {imported.partition(".")[0] for imported in IMPORTS[name]}


def importers(package):
    return {name for name in FILES if package in packages(name)}


def within(folder):
    return [name for name in FILES if name.partition(".")[0] == folder]


def modules(name):
    """Returns the modules of ours that a module imports."""
    return {module for imported in IMPORTS[name]
            for module in (imported, imported.rpartition(".")[0])
            if module in FILES and module != name and "." in module}


def functions():
    """Yields (module, function) for all functions and methods, functions in functions apart."""
    for name, tree in TREES.items():
        for holder in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]:
            yield from ((name, node) for node in holder.body if isinstance(node, ast.FunctionDef))


def test_the_files_are_found():
    assert {ENTRY, "finetune", "finetune.runner", "processors.registry",
            "scripts.download_checkpoint"} < set(FILES)


def test_the_entry_point_wires_flags_processors_and_finetune():
    assert packages(ENTRY) - sys.stdlib_module_names == {"absl", "processors", "finetune"}


def test_processors_import_nothing_but_python_and_processors():
    allowed = sys.stdlib_module_names | {"processors"}
    assert {name: packages(name) - allowed for name in within("processors")
            if packages(name) - allowed} == {"processors.storage": {"tensorflow"}}
    top = TREES["processors.storage"].body  # gs:// alone needs it: it is imported within a function
    assert not any("tensorflow" in ast.unparse(node) for node in top
                   if isinstance(node, ast.Import | ast.ImportFrom))


def test_finetune_knows_neither_processors_nor_the_entry_point():
    assert not (importers("processors") | importers(ENTRY)) & set(within("finetune"))


def test_only_upstream_imports_bert():
    assert importers("bert") == {"finetune.upstream", "finetune.original.flow"}  # runs elsewhere


def test_only_the_entry_point_has_flags():
    assert importers("absl") == {ENTRY, "finetune.upstream"}  # which has to soothe the original's


def test_runs_are_started_from_the_command_line_and_from_python_alone():
    assert {name for name in FILES if "finetune.runner" in modules(name)} == {
        ENTRY, "finetune.estimators.base"}  # two ways in, one story


def test_nothing_imports_in_a_circle():
    graphlib.TopologicalSorter({name: modules(name) for name in FILES}).prepare()


def test_no_file_has_300_lines():
    assert [name for name, path in FILES.items()
            if len(path.read_text().splitlines()) >= 300] == []


def test_no_function_has_50_lines():
    assert [f"{name}.{node.name}" for name, node in functions()
            if node.end_lineno - node.lineno + 1 >= 50] == []


def test_every_public_function_says_what_it_returns():
    assert [f"{name}.{node.name}" for name, node in functions()
            if not node.name.startswith("_") and node.returns is None] == []


def test_no_file_is_a_drawer_for_odds_and_ends():
    assert not {path.stem for path in FILES.values()} & {"util", "utils", "helpers", "misc"}


def test_nothing_imports_a_star():
    assert [name for name in FILES if any(one.endswith(".*") for one in IMPORTS[name])] == []


def test_an_installation_has_every_package():
    listed = re.search(r"^packages = (\[.*\])$", (ROOT / "pyproject.toml").read_text(), re.M)
    assert set(ast.literal_eval(listed[1])) == {
        ".".join(path.parent.relative_to(ROOT).parts) for folder in ("finetune", "processors")
        for path in (ROOT / folder).rglob("__init__.py")}


def test_the_map_of_finetune_names_all_that_is_in_it():
    entries = ast.get_docstring(TREES["finetune"]).partition("A map, in the order of a run:")[2]
    named = re.findall(r"\w+/?", re.sub(r"(?m)^ +(\w+ )*\w+  +", "", entries))
    there = [f"{path.name}/" if path.is_dir() else path.stem
             for path in (ROOT / "finetune").iterdir()
             if not path.name.startswith("__") and (path.is_dir() or path.suffix == ".py")]
    assert sorted(named) == sorted(there)
