"""What an agent is, and finding one by its name on the command line, `MODULE_OR_FILE:AGENT`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeGuard, cast

from greenroom.actors.errors import GreenroomError
from greenroom.actors.reactors.own_thread import WrongHost
from greenroom.actors.text.wording import a, did_you_mean
from greenroom.delivery.run.run import Agent
from greenroom.loading.declaration import HOST, declaration_of

EXAMPLE = "name it as MODULE_OR_FILE:AGENT, for example app:agent or agents/app.py:agent"
SHAPE = "an agent is `async def agent(run, said)`"


class BadAgent(GreenroomError):
    """An agent must be `async def agent(run, said)`, and this object is not."""


class BadTarget(BadAgent):
    """The target does not name an agent."""


class TargetFailed(GreenroomError):
    """The target's own code raised while it was imported; the message ends with its place."""


def load_agent(target: str) -> Agent:
    """The async function a target names, `app:agent` or `path/to/app.py:agent`.

    A module is searched for from the working directory, and a file may import its neighbours,
    both as if Python itself ran them. Raises `BadTarget` or `TargetFailed`.
    """
    found = load_object(target)
    try:
        return checked_agent(found, target)
    except BadAgent as error:
        raise BadTarget(error.message, advice=error.advice) from None


def load_object(
    target: str, what: str = "agent", example: str = EXAMPLE, shape: str = SHAPE
) -> object:
    """The object that a target names.

    Raises `BadTarget`, whose text has the other arguments, or `TargetFailed`.
    """
    place, colon, name = target.rpartition(":")
    if not (place and colon and name):
        raise BadTarget(f"{target!r} does not name {a(what)}", advice=example)
    return _attribute(_import(place, example), name, target, shape)


def _import(place: str, example: str) -> ModuleType:
    if place.endswith(".py") or os.sep in place or place.startswith("."):
        return _import_file(Path(place), example)
    return _import_module(place)


def _import_module(name: str) -> ModuleType:
    search_first(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise BadTarget(
                f"there is no module {error.name!r}",
                advice=f"modules are searched for from {Path.cwd()}; a file's name must end in .py",
            ) from error
        raise _failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error


def _import_file(path: Path, example: str) -> ModuleType:
    if not path.is_file():
        raise BadTarget(f"there is no file {path}", advice=example)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BadTarget(f"{path} is not a Python file", advice="its name must end in .py")
    search_first(path.resolve().parent)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # attrs and dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise _failed(str(path), error) from error
    return module


def search_first(directory: Path) -> None:
    """Import from here before anywhere else."""
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))


def _attribute(module: ModuleType, name: str, target: str, shape: str) -> object:
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            advice = did_you_mean(part, dir(found)) or shape
            raise BadTarget(f"{target} has no {part!r}", advice=advice)
        found = getattr(found, part)
    return found


def named_agents(agents: Mapping[str, Agent] | Agent | None) -> Mapping[str, Agent]:
    """Agents by their names, each of them checked. Raises `BadAgent`."""
    if agents is None:
        return {}
    if not isinstance(agents, Mapping):
        agents = {getattr(agents, "__name__", "agent"): agents}
    return {name: checked_agent(each, f"agent {name!r}") for name, each in agents.items()}


def checked_agent(found: object, called: str) -> Agent:
    """`found`, if it can be an agent; `called` begins the error. Raises `BadAgent`, and `WrongHost`
    for one of asyncio."""
    if not is_async_function(found):
        raise BadAgent(f"{called} must be an async function, not {_described(found)}", advice=SHAPE)
    check_parameters(found, called)
    if declaration_of(found).host != "any" or _host_of_run(found) != "any":
        raise WrongHost(
            f"{called} is declared as one of asyncio, and this runtime has no asyncio loop",
            advice="open the runtime with greenroom.aio.open_runtime or greenroom.asgi.lifespan",
        )
    return cast(Agent, found)


def _host_of_run(agent: Callable[..., object]) -> str:
    """Where the run lives that an agent takes, by the annotation of its first parameter."""
    try:
        run, *_ = inspect.signature(agent, eval_str=True).parameters.values()
    except Exception:  # noqa: BLE001  # a name that only type checkers know, or any of the user's own
        return "any"
    return str(getattr(run.annotation, HOST, "any"))


def check_parameters(agent: Callable[..., object], called: str) -> None:
    """Raises `BadAgent` unless it can be called with a run and what was said."""
    try:
        inspect.signature(agent).bind(None, None)
    except TypeError:
        raise BadAgent(
            f"{called} must take a run and what was said, not {inspect.signature(agent)}",
            advice=SHAPE,
        ) from None


def is_async_function(found: object) -> TypeGuard[Callable[..., Awaitable[object]]]:
    """A function, a partial of one, or an object whose `__call__` is one."""
    if inspect.isclass(found):
        return False
    call = getattr(found, "__call__", None)  # noqa: B004  # the method itself is asked, below
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(call)


def _described(found: object) -> str:
    if inspect.isclass(found):
        return "a class"
    if inspect.isasyncgenfunction(found):
        return "an async generator"
    if inspect.isfunction(found):
        return "a plain function"
    return a(type(found).__name__)


def _failed(place: str, error: BaseException) -> TargetFailed:
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    where = _last_line(error)
    return TargetFailed(
        f"{place} failed while it was imported: {said}{where}",
        advice="add --debug to see the whole traceback",
    )


def _last_line(error: BaseException) -> str:
    """The last line of the traceback in code that is not installed: the user's own."""
    if isinstance(error, SyntaxError):
        return f" (line {error.lineno} of {error.filename})"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_users(f.filename)]
    if not frames:
        return ""
    return f" (line {frames[-1].lineno} of {frames[-1].filename}: {frames[-1].line})"


def _is_users(filename: str) -> bool:
    installed = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
    here = str(Path(__file__).parents[1])
    others = (*installed, here, "<frozen")
    return not filename.startswith(others) or filename.startswith(os.path.join(here, "demo"))
