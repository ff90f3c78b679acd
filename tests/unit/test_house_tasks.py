"""No task is left to itself: nobody would notice how a bare one ends, and nobody would end it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(file for room in ("daemon", "events", "projections") for file in (ROOT / room).rglob("*.py"))

KEPT = {"daemon/sandbox/elation/webhooks.py": "start"}
"""Functions whose task outlives them: it says its failure, and `stop` of the same class cancels it and raises what it ended with."""

MAKERS = {"create_task", "ensure_future", "Task", "run_coroutine_threadsafe", "eager_task_factory"}
MADE = re.compile(rf"\b({'|'.join(MAKERS)})\b")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def groups(tree: ast.AST) -> set[str]:
    """What a file calls its task groups: names and attributes."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.withitem(context_expr=ast.Call(func=func), optional_vars=ast.Name(id=name)) if (
                last(func) == "TaskGroup"
            ):
                found.add(name)
            case ast.arg(arg=name, annotation=annotation) if annotation is not None and says_group(annotation):
                found.add(name)
            case ast.AnnAssign(target=target, annotation=annotation) if says_group(annotation):
                found.add(last(target))
    handed = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)]
    return found | {last(one.targets[0]) for one in handed if isinstance(one.value, ast.Name) and one.value.id in found}


def says_group(annotation: ast.expr) -> bool:
    return any(last(node) == "TaskGroup" for node in ast.walk(annotation) if isinstance(node, ast.expr))


def last(expression: ast.expr) -> str:
    """The last name of `a.b.c`."""
    return getattr(expression, "attr", getattr(expression, "id", ""))


def bare(source: str) -> Iterator[str]:
    """The functions of a file that make a task which no group holds, and do not see it end on every way out of them."""
    if MADE.search(source) is None:
        return
    tree = ast.parse(source)
    known = groups(tree)
    makers = MAKERS & {
        alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    for function in [tree, *(node for node in ast.walk(tree) if isinstance(node, Function))]:
        for statement in own(function):
            for made in [node for node in ast.walk(statement) if isinstance(node, ast.Call)]:
                of_group = isinstance(made.func, ast.Attribute) and last(made.func.value) in known
                called = last(made.func) in (MAKERS if isinstance(made.func, ast.Attribute) else makers)
                if called and not of_group and not seen_to(function, statement):
                    yield getattr(function, "name", "")


def own(function: ast.AST) -> Iterator[ast.stmt]:
    """The simple statements of a function, without those of functions in it."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, Function | ast.ClassDef):
            continue
        simple = isinstance(node, ast.stmt) and not hasattr(node, "body")
        if isinstance(node, ast.stmt) and simple:
            yield node
        else:
            yield from own(node)


def seen_to(function: ast.AST, statement: ast.stmt) -> bool:
    """Whether what the statement makes has a name that is awaited however the function is left."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    names = {one.id for one in targets if isinstance(one, ast.Name)}
    ends: list[ast.stmt] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Try):
            whatever = [one for one in node.handlers if one.type is None or last(one.type) == "BaseException"]
            ends += [*node.finalbody, *(inside for handler in whatever for inside in handler.body)]
    awaited = [node for end in ends for node in ast.walk(end) if isinstance(node, ast.Await)]
    return bool(names & {node.id for one in awaited for node in ast.walk(one) if isinstance(node, ast.Name)})


def test_no_task_is_left_to_itself() -> None:
    found = ((str(file.relative_to(ROOT)), name) for file in FILES for name in bare(file.read_text()))
    assert [(file, name) for file, name in found if name != KEPT.get(file)] == []


@pytest.mark.parametrize("file", KEPT)
def test_a_task_that_outlives_its_function_says_its_failure_and_is_ended(file: str) -> None:
    source = (ROOT / file).read_text()
    assert KEPT[file] in set(bare(source))
    called = {last(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    assert called >= {"add_done_callback", "exception", "cancel", "error"}


@pytest.mark.parametrize(
    "source",
    [
        "async def f():\n    asyncio.create_task(g())",
        "async def f():\n    self.kept = asyncio.create_task(g())",
        "async def f():\n    kept = asyncio.ensure_future(g())\n    await kept",
        "async def f():\n    asyncio.get_running_loop().create_task(g())",
        "async def f(loop):\n    kept = loop.create_task(g())",
        "from asyncio import create_task\nasync def f():\n    create_task(g())",
        "async def f():\n    kept = asyncio.create_task(g())\n    try:\n        await kept\n    except OSError:\n        await kept",
        "async def f():\n    if x:\n        def h():\n            return asyncio.ensure_future(g())\n",
        "async def f():\n    kept = asyncio.Task(g())",
        "asyncio.create_task(g())",
    ],
)
def test_the_test_of_tasks_can_fail(source: str) -> None:
    assert list(bare(source))


@pytest.mark.parametrize(
    "source",
    [
        "async def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(g())",
        "class A:\n    def __init__(self, group: asyncio.TaskGroup):\n        self._g = group\n\n    def f(self):\n        self._g.create_task(g())",
        "async def f():\n    kept = asyncio.ensure_future(g())\n    try:\n        h()\n    finally:\n        await kept",
        "async def f():\n    kept = asyncio.ensure_future(g())\n    try:\n        await kept\n    except BaseException:\n        await asyncio.wait([kept])\n        raise",
    ],
)
def test_tasks_of_groups_and_awaited_ones_are_no_fault(source: str) -> None:
    assert list(bare(source)) == []
