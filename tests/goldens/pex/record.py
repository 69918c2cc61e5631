"""Records the golden files of PEX's online update, computed with PyTorch.

Run it in this folder, with Python 3.11:

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python record.py            # writes *.safetensors and README.md
    venv/bin/python record.py --check    # recomputes and compares; writes nothing
"""

import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from recording import BATCH, UPDATES, batches, initial_weights, main, mlp, named_parameters  # noqa: E402

spec = spec_from_file_location("iql", HERE.parent / "iql" / "record.py")
iql = module_from_spec(spec)
sys.modules["iql"] = iql
spec.loader.exec_module(iql)


@dataclass(frozen=True)
class Case(iql.Case):
    inverse_temperature: float


CASES = (
    Case("sharp", 1, obs=5, act=3, hidden=(32, 32), max_action=1.0, expectile=0.9, beta=10.0, decay=None, inverse_temperature=10.0),
    Case("flat", 2, obs=11, act=2, hidden=(48, 16), max_action=0.4, expectile=0.7, beta=3.0, decay=None, inverse_temperature=3.0),
)


class Pex(iql.Iql):
    """IQL whose policy learns from actions of the composite policy."""

    def __init__(self, case, inputs):
        super().__init__(case, inputs)
        self.offline = mlp((case.obs, *case.hidden, case.act))
        with torch.no_grad():
            for key, parameter in named_parameters("offline", self.offline):
                parameter.copy_(inputs[f"initial.{key}"])
        self.margin = 1.0

    def update(self, s, a, r, next_s, not_done, noise, choice):
        losses, _ = self.update_values(s, a, r, next_s, not_done)
        with torch.no_grad():
            policy = self.policy(s).base_dist
            proposals = torch.stack([self.limit * torch.tanh(self.offline(s)), policy.loc + policy.scale * noise])
            q = torch.stack([torch.minimum(*self.q("", s, a)) for a in proposals])
            p = torch.softmax(self.case.inverse_temperature * q, dim=0)
            # The first whose cumulative probability is above the draw.
            picked = (choice >= p[0]).long()
            self.margin = min(self.margin, (choice - p[0]).abs().min().item())
            a = proposals[picked, torch.arange(len(s))]
            advantage = torch.minimum(*self.q("target_", s, a)) - self.v(s)
        losses |= self.update_policy(s, a, advantage)
        return losses | {"offline_share": 1.0 - picked.double().mean(), "margin": self.margin}


def inputs_of(case):
    g = torch.Generator().manual_seed(case.seed)
    limit = {"constant.max_action": torch.tensor([case.max_action])}
    initial = initial_weights(Pex.networks(case) | {"offline": mlp((case.obs, *case.hidden, case.act))}, g, head_gain=3.0)
    noise = {
        "noise.online": torch.randn((UPDATES, BATCH, case.act), generator=g),
        "noise.choice": torch.rand((UPDATES, BATCH), generator=g),
    }
    return limit | initial | batches(case, g) | noise


README = """# Golden files of PEX's online update

`record.py` wrote the files here, this page included: its first lines say how to run it. It is the IQL of the folder beside,
whose policy update takes composite actions; it stores inputs and expected values, the latter computed in float64 and
rounded to float32.

| tensors | shape | what |
| --- | --- | --- |
| `initial.N.L.weight`, `initial.N.L.bias` | [out, in], [out] | networks N as IQL's, and `offline`, the frozen policy's mean |
| `batch.*` | [100, 16, …] | states, actions, rewards, next states, 0 where the step was terminal |
| `noise.online`, `noise.choice` | [100, 16, act], [100, 16] | standard normals for the new policy's proposals; uniform draws that select |
| `after_U.*` | as above | after update U = 1, 2, 100 |
| `loss.*` | [100] | as IQL's; `offline_share`, how many actions of the batch were the frozen policy's; `margin`, the least distance so far of a draw from where it would select otherwise |
"""

if __name__ == "__main__":
    main(HERE, Pex, CASES, inputs_of, ("noise.online", "noise.choice"), README)
