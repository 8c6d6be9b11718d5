"""What the admin commands need of the running service."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from appliance.config import Config
from appliance.status import Status
from appliance.store import Store

if TYPE_CHECKING:
    from appliance.pipeline import Pipeline

T = TypeVar("T")


class Box(Protocol):
    """The service as the admin commands see it. Its methods are called on the thread of the event loop."""

    @property
    def config(self) -> Config:
        """As it is in force: a reload changes it."""

    @property
    def version(self) -> str:
        """Of the distribution."""

    def status(self) -> Status:
        """How the service is. Never waits."""

    async def ask(self, question: "Callable[[Pipeline], T]") -> T:
        """Runs `question` on the tracker's thread between two blocks. It must be short: packets wait meanwhile."""

    @property
    def store(self) -> Store:
        """The findings store. Its calls read the disk: they belong on another thread."""

    async def lists_changed(self) -> None:
        """The lists of the store are different now: what is held against them is to be made anew."""

    def metrics_text(self) -> str:
        """In Prometheus' text format."""

    async def reload(self) -> Sequence[str]:
        """Reads the configuration again and puts it in force: what changed, and what needs a restart.

        Raises ConfigError, and then all stays as it was.
        """
