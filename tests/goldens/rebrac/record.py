"""Records the golden files of the ReBRAC update, computed with PyTorch.

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
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from recording import BATCH, UPDATES, batches, gelu, initial_weights, main, mlp, polyak  # noqa: E402

spec = spec_from_file_location("fql", HERE.parent / "fql" / "record.py")
fql = module_from_spec(spec)
sys.modules["fql"] = fql
spec.loader.exec_module(fql)

NOISE, NOISE_CLIP = 0.2, 0.5
POLICY_DELAY = 2


@dataclass(frozen=True)
class Case:
    name: str
    seed: int
    obs: int
    act: int
    hidden: tuple[int, ...]
    max_action: float
    alpha_actor: float
    alpha_critic: float


CASES = (
    Case("both", 1, obs=5, act=3, hidden=(32, 32, 32), max_action=1.0, alpha_actor=0.1, alpha_critic=0.05),
    Case("actor", 2, obs=11, act=2, hidden=(48, 16), max_action=1.0, alpha_actor=1.0, alpha_critic=0.0),
)


class Rebrac(fql.Fql):
    """ReBRAC as FQL's code has it. Critics are FQL's."""

    def __init__(self, case, inputs):
        super().__init__(case, inputs)
        self.updates = 0
        # One Adam moves all at every update. Without a loss the actor's gradients are zeros, not absent.
        for p in self.nets["actor"].parameters():
            p.grad = torch.zeros_like(p)

    @staticmethod
    def networks(case):
        nets = fql.Fql.networks(case)
        del nets["flow"]
        sizes = (case.obs, *case.hidden, case.act)
        return nets | {name: nn.Sequential(*mlp(sizes, gelu), nn.Tanh()) for name in ("actor", "target_actor")}

    def update(self, s, a, r, next_s, not_done, next_a_data, noise):
        self.updates += 1
        with torch.no_grad():
            noise = (NOISE * noise).clamp(-NOISE_CLIP, NOISE_CLIP)
            next_a = (self.nets["target_actor"](next_s) + noise).clamp(-1.0, 1.0)
            next_q = self.q("target_", next_s, next_a).min(0).values
            next_q = next_q - self.case.alpha_critic * ((next_a - next_a_data) ** 2).sum(1)
            y = r + not_done * fql.DISCOUNT * next_q
        losses = {"critic": ((self.q("", s, a) - y) ** 2).mean(), "actor": 0.0, "bc": 0.0, "q": 0.0}
        total = losses["critic"]
        if self.updates % POLICY_DELAY == 0:
            action = self.nets["actor"](s)
            q = self.frozen_q(s, action).min(0).values
            bc = ((action - a) ** 2).sum(1).mean()
            loss = self.case.alpha_actor * bc - q.mean() / q.abs().mean().detach()
            losses |= {"actor": loss, "bc": bc, "q": q.mean()}
            total = total + loss
        self.adam.zero_grad(set_to_none=False)
        total.backward()
        if self.updates % POLICY_DELAY == 0:
            # The targets follow what is about to move.
            for name in ("actor", "critic1", "critic2"):
                polyak(self.nets[f"target_{name}"], self.nets[name], fql.POLYAK)
        self.adam.step()
        return losses


KEYS = ("batch.next_action", "noise.target")


def inputs_of(case):
    g = torch.Generator().manual_seed(case.seed)
    limit = {"constant.max_action": torch.tensor([case.max_action])}
    # A wide policy head, so that tanh bends and noise meets the limit.
    more = {
        "batch.next_action": torch.rand((UPDATES, BATCH, case.act), generator=g) * 2 - 1,
        "noise.target": torch.randn((UPDATES, BATCH, case.act), generator=g),
    }
    return limit | initial_weights(Rebrac.networks(case), g, head_gain=2.0) | batches(case, g) | more


README = """# Golden files of the ReBRAC update

`record.py` wrote the files here, this page included: its first lines say how to run it. It holds a ReBRAC in PyTorch, as
FQL's code has it, feeds it given batches and noise for 100 updates, and stores inputs and expected values, the latter
computed in float64 and rounded to float32.

| tensors | shape | what |
| --- | --- | --- |
| `initial.N.L.weight`, `initial.N.L.bias` | [out, in], [out] | networks N `actor`, `critic1`, `critic2`, and the targets, which start a little apart; `L.norm.*` the normalisation after a layer |
| `batch.*` | [100, 16, …] | states, actions, rewards, next states, the data's actions in these, 0 where the step was terminal |
| `noise.target` | [100, 16, act] | standard normals, before scaling and clipping |
| `after_U.*` | as above | after update U = 1, 2, 100 |
| `loss.*` | [100] | critics' mean squared error; on even updates the actor's loss, and of it the squared distance and the mean value |
"""

if __name__ == "__main__":
    main(HERE, Rebrac, CASES, inputs_of, KEYS, README)
