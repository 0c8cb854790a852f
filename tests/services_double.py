"""An installation with real stores, people and services, whose planner follows a script. Loaded by tests with `runpy`."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agent.inspector import Inspector
from agent.planners.scripted import call, conclude, scripted_planner
from agent.policy import Limits
from agent.record import Recorder
from kenpin.contracts.errors import Unavailable
from kenpin.contracts.people import Actor, Role
from kenpin.security.credentials import Hasher
from kenpin.security.people import People
from kenpin.services import Services
from kenpin.wiring import Kenpin

CONSOLE = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
SCRIPT = [
    [call("check_image"), call("detect")], conclude("f1 is a scratch [2].", about=["f1"], judged=True),
    call("crop", box=[0, 0, 50, 50]), conclude("Here it is [3]."),
    conclude("Done."), conclude("Done."),
]  # fmt: skip
PASSWORD = "a long enough password"


@dataclass(frozen=True)
class Office(Kenpin):
    """An installation with real stores and people, whose planner follows a script."""

    tools: Any = None

    @cached_property
    def people(self) -> People:
        return People(self.database, self.audit, self.settings, Hasher.for_tests(), console=True)

    @cached_property
    def _scripted(self) -> Inspector:
        recorder = Recorder(tools=self.tools, pictures=self.pictures, cases=None, limits=Limits())
        checkpointer = self.checkpointer()
        return Inspector(scripted_planner(SCRIPT), recorder, self.traces, checkpointer)

    def inspector(self, planner: str | None = None) -> Inspector:
        if planner == "vllm":
            raise Unavailable("no server answers")
        return self._scripted


def account(services: Services, name: str, *roles: Role) -> Actor:
    """Somebody with an account, signed in."""
    services.people.accounts.add(CONSOLE, name, roles=roles, printed_name=name.title(), password=PASSWORD)
    return services.people.sign_in(name, PASSWORD)
