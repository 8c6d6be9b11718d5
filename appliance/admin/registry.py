"""The commands that the service answers: each with its name, who may ask it, its arguments and one line of help."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import msgspec
from msgspec import Meta

from appliance.admin.errors import AdminError
from appliance.admin.peer import Peer, Role
from appliance.admin.protocol import RoleName

if TYPE_CHECKING:
    from appliance.admin.box import Box


P = ParamSpec("P")
T = TypeVar("T")

# As far as SQLite and the engine count.
Natural = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of a command; an unknown one is an error, for a misspelt filter must not widen what it matches."""


class NoArguments(Arguments, frozen=True):
    """Of a command that takes none."""


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, the box that is asked, and the threads that wait for its disk."""

    box: "Box"
    peer: Peer
    role: Role
    threads: Executor

    async def aside(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs what waits, such as a look into the store, on a thread of the admin socket's own: the service's other
        work never stands in line behind it."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(function, *args, **kwargs))


Run = Callable[[Context, msgspec.Struct], Awaitable[object] | AsyncIterator[object]]


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gives a result, or when `is_stream` any number of items."""

    name: str
    role: Role
    arguments: msgspec.json.Decoder
    run: Run
    help: str
    is_stream: bool


class CommandLine(msgspec.Struct, frozen=True):
    """A command as the command `commands` lists it."""

    name: str
    role: RoleName
    help: str


class Registry:
    """Commands by name."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}

    def command(self, name: str, role: Role) -> Callable[[Callable], Callable]:
        """Registers a function of (Context, arguments); its second annotation is the arguments, its docstring the
        help."""

        def register(run: Callable) -> Callable:
            _, arguments = inspect.signature(run, eval_str=True).parameters.values()
            help_text = (run.__doc__ or "").strip().partition("\n")[0]
            decoder = msgspec.json.Decoder(arguments.annotation)
            self._commands[name] = Command(name, role, decoder, run, help_text, inspect.isasyncgenfunction(run))
            return run

        return register

    def of(self, name: str) -> Command:
        """Raises AdminError, with the names that are near."""
        command = self._commands.get(name)
        if command is None:
            near = get_close_matches(name[:64], self._commands, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(self._commands))}"
            raise AdminError("unknown_command", f"there is no command {name[:64]!r}", hint)
        return command

    def lines(self) -> list[CommandLine]:
        return [
            CommandLine(command.name, command.role.title, command.help)
            for command in sorted(self._commands.values(), key=lambda command: command.name)
        ]


# Of the service: appliance/admin/all_commands.py has it with every command in it.
registry = Registry()
