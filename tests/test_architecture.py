"""The module table of ARCHITECTURE.md, enforced; and the budgets that keep modules small."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
LAB = PROJECT / "lab"
PARTS = ("ansible", "components", "data", "replica")  # of lab/, not modules of it
MODULE_LINES = 300
FUNCTION_LINES = 40
POSITIONAL = 5
NO_MIRROR = {"cli": "tests/real and tests/test_pytest_plugin.py run it as users do"}
ROW = re.compile(r"\| (?P<layer>\d+) \| (?P<module>[\w/*]+) \| (?P<what>[^|]+) \| (?P<outside>[^|]*)\|")
HOST = re.compile(r"https?://([\w.-]+)")
HOSTS = ("github.com", "www.apache.org", "127.0.0.1", "VIP")  # that files of the project may name
MACHINE_PATH = re.compile(rf"(?<![\w.])(/home/\w|/Users/\w|{re.escape(str(PROJECT))}/)")
NOWHERE = ("multiprocessing", "asyncio", "logging")  # processes: command; a second activity: a named thread; what happened: journal


@cache
def modules() -> dict[str, Path]:
    found = (path for path in LAB.rglob("*.py") if path.name != "__init__.py" and path.relative_to(LAB).parts[0] not in PARTS)
    return {str(path.relative_to(LAB).with_suffix("")): path for path in found}


@cache
def table() -> dict[str, tuple[int, tuple[str, ...]]]:
    rows = ROW.finditer((PROJECT / "ARCHITECTURE.md").read_text())
    return {row["module"]: (int(row["layer"]), tuple(word for word in row["outside"].replace(" ", "").split(",") if word)) for row in rows}


def row_of(module: str) -> str:
    return module if "/" not in module else f"{module.partition('/')[0]}/*"


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(`lab`, module of the lab) or (`outside`, top-level package) of everything `path` imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (("outside", alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "lab":
            inside = "/".join((node.module or "").split(".")[1:])
            yield from (("lab", inside) if inside in modules() else ("lab", f"{inside}/{a.name}".lstrip("/")) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "outside", (node.module or "").partition(".")[0]


MODULES = sorted(modules())


def test_the_table_has_every_module_and_no_other() -> None:
    assert {row_of(module) for module in MODULES} == set(table()), "make the table of ARCHITECTURE.md say what lab/ has"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    layer = table()[row_of(module)][0]
    for kind, name in imports(modules()[module]):
        if kind == "lab":
            assert name in modules(), f"lab/{module} imports {name}, which is no module of lab/"
            assert table()[row_of(name)][0] < layer, f"lab/{module} (layer {layer}) imports {name}: move it up, or what it needs down"


@pytest.mark.parametrize("module", MODULES)
def test_an_outside_library_has_one_importer(module: str) -> None:
    owners = {library: row for row, (_, outside) in table().items() for library in outside}
    for kind, name in imports(modules()[module]):
        if kind != "outside":
            continue
        assert owners.get(name, row_of(module)) == row_of(module), f"only {owners[name]} may import {name}; ask it instead"
        assert name not in NOWHERE, f"lab/{module} imports {name}, which no module may: use lab.command, a thread or the journal"
        assert name in sys.stdlib_module_names or name in owners, f"lab/{module} imports {name}: name its owner in ARCHITECTURE.md"


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_functions_stay_small(module: str) -> None:
    text = modules()[module].read_text()
    assert len(text.splitlines()) <= MODULE_LINES, f"lab/{module} has too many responsibilities: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES, f"{node.name} in lab/{module} has {lines} lines: split it"
            assert len(node.args.args) <= POSITIONAL, f"{node.name} in lab/{module}: make its parameters keyword-only, or a value"


@pytest.mark.parametrize("module", MODULES)
def test_what_others_may_call_says_what_it_promises(module: str) -> None:
    tree = ast.parse(modules()[module].read_text())
    assert ast.get_docstring(tree), f"lab/{module} does not say what it is for"
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]
    assert not [node.name for node in public if not ast.get_docstring(node)], f"in lab/{module}: say what they promise"


@pytest.mark.parametrize("module", [module for module in MODULES if module not in NO_MIRROR])
def test_tests_mirror_modules(module: str) -> None:
    folder, _, name = module.rpartition("/")
    assert (PROJECT / "tests" / folder / f"test_{name}.py").exists(), f"lab/{module} has no tests of its own"


def project_files() -> Iterator[Path]:
    kinds = (".py", ".yaml", ".yml", ".md", ".toml", ".ini", ".sh", ".cfg", ".j2", ".txt", "")
    for path in PROJECT.rglob("*"):
        inside = path.relative_to(PROJECT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in inside)
        if path.is_file() and path.suffix in kinds and not hidden and "runs" not in inside and "__pycache__" not in inside:
            yield path


def test_files_name_no_registry_and_no_machine() -> None:
    for path in project_files():
        if path.name in ("test_architecture.py", "LICENSE", "go.sum"):
            continue
        text = path.read_text(errors="replace")
        assert not MACHINE_PATH.search(text), f"{path} names a path of one machine"
        if path.parent == PROJECT or path.parent.name == ".ci":
            wrong = {host for host in HOST.findall(text) if host not in HOSTS}
            assert not wrong, f"{path} names {wrong}: package registries are the clients' own business"
