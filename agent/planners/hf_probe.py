"""What a model in this process can do, for `kenpin doctor`: asked, as a server is asked."""

from dataclasses import dataclass

from agent.planners.hf_local import InProcess, ways_here
from agent.planners.hf_model import gigabytes, memory_free
from agent.planners.vllm_probe import COLOURS, SHOWN, Asking, Probe
from kenpin.config import Settings


@dataclass(frozen=True)
class Here:
    """A model, and the machine under it."""

    probe: Probe
    device: str
    needs: str
    """Memory that it takes, in words."""


def probe_here(settings: Settings) -> Here:
    """Ask a model a few questions whose answers are known.

    Raises:
        MissingExtra, Unavailable, FileRefused: As `hf_local.local_planner`.
    """
    line = InProcess(settings)
    model, folder = line.served(), line.model.folder
    way = ways_here(line, settings.vllm_pictures)
    asking = Asking(line, model)
    calls = asking.colour(None) in COLOURS
    kind = asking.frame() if calls else None
    pictures = calls and (kind is not None or all(asking.colour(name) == name for name in SHOWN))
    advice = list(dict.fromkeys(asking.refusals))[:1]
    if calls and not pictures:
        advice.append(f"the model in {folder.path} does not see; take a vision-language model that was trained to")
    elif calls and kind is None:
        advice.append("its boxes fit no known frame; set KENPIN_VLLM_FRAME to per_mille or resized, or take a model "
                      "that was trained to point")
    found = Probe(model=model, calls=calls, pictures=pictures, in_tools=way.in_tools, kind=kind, most_pictures=None,
                  advice=tuple(advice))
    needs = (f"{gigabytes(folder.weights)} of weights and {gigabytes(folder.token_bytes * line.context)} for a full "
             f"context; {gigabytes(memory_free(line.model.device))} are free")
    return Here(probe=found, device=line.model.device, needs=needs)
