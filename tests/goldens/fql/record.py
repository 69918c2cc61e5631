"""Records the golden files of the FQL update, computed with PyTorch.

Run it in this folder, with Python 3.11:

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python record.py            # writes *.safetensors and README.md
    venv/bin/python record.py --check    # recomputes and compares; writes nothing
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import mse_loss

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from recording import (  # noqa: E402
    BATCH, UPDATES, batches, gelu, initial_weights, load_networks, main, mlp, polyak, weights_of,
)  # fmt: skip

DISCOUNT = 0.99
POLYAK = 0.005
LEARNING_RATE = 3e-4
FLOW_STEPS = 10
AGGREGATES = {"mean": lambda q: q.mean(0), "min": lambda q: q.min(0).values}


@dataclass(frozen=True)
class Case:
    name: str
    seed: int
    obs: int
    act: int
    hidden: tuple[int, ...]
    max_action: float
    target: str
    alpha: float
    normalise_q: bool


CASES = (
    Case("mean", 1, obs=5, act=3, hidden=(32, 32, 32), max_action=1.0, target="mean", alpha=10.0, normalise_q=False),
    Case("min", 2, obs=11, act=2, hidden=(48, 16), max_action=1.0, target="min", alpha=0.3, normalise_q=True),
)


class Fql:
    """FQL: all losses from one snapshot of the parameters, then one Adam over everything."""

    def __init__(self, case, inputs):
        self.case = case
        self.limit = float(inputs["constant.max_action"][0])
        self.nets = self.networks(case)
        load_networks(self.nets, inputs)
        learned = [p for name, net in self.nets.items() if not name.startswith("target_") for p in net.parameters()]
        self.adam = torch.optim.Adam(learned, lr=LEARNING_RATE)

    @staticmethod
    def networks(case):
        critics = ("critic1", "critic2", "target_critic1", "target_critic2")
        return {
            "actor": mlp((case.obs + case.act, *case.hidden, case.act), gelu),
            "flow": mlp((case.obs + case.act + 1, *case.hidden, case.act), gelu),
        } | {name: mlp((case.obs + case.act, *case.hidden, 1), gelu, norm=True) for name in critics}

    def q(self, prefix, s, a):
        return torch.stack([self.nets[f"{prefix}critic{i}"](torch.cat([s, a], 1)).squeeze(1) for i in (1, 2)])

    def policy(self, s, z):
        return self.nets["actor"](torch.cat([s, z], 1))

    def critic_loss(self, s, a, r, next_s, not_done, next_noise):
        with torch.no_grad():
            next_a = self.policy(next_s, next_noise).clamp(-self.limit, self.limit)
            next_q = AGGREGATES[self.case.target](self.q("target_", next_s, next_a))
            y = r + not_done * DISCOUNT * next_q
        return ((self.q("", s, a) - y) ** 2).mean()

    def step(self, loss):
        """One Adam step; the targets follow the critics from before it."""
        self.adam.zero_grad()
        loss.backward()
        for i in (1, 2):
            polyak(self.nets[f"target_critic{i}"], self.nets[f"critic{i}"], POLYAK)
        self.adam.step()

    def frozen_q(self, s, a):
        """Values of the critics, whose parameters get no gradient from them."""
        critics = [p for i in (1, 2) for p in self.nets[f"critic{i}"].parameters()]
        for p in critics:
            p.requires_grad_(False)
        q = self.q("", s, a)
        for p in critics:
            p.requires_grad_(True)
        return q

    def update(self, s, a, r, next_s, not_done, next_noise, x0, t, z):
        critic_loss = self.critic_loss(s, a, r, next_s, not_done, next_noise)

        t = t[:, None]
        velocity = self.nets["flow"](torch.cat([s, (1 - t) * x0 + t * a, t], 1))
        flow_loss = mse_loss(velocity, a - x0)

        with torch.no_grad():
            teacher = z
            for i in range(FLOW_STEPS):
                time = torch.full_like(t, i / FLOW_STEPS)
                teacher = teacher + self.nets["flow"](torch.cat([s, teacher, time], 1)) / FLOW_STEPS
            teacher = teacher.clamp(-self.limit, self.limit)
        action = self.policy(s, z)
        distill_loss = mse_loss(action, teacher)
        q = self.frozen_q(s, action.clamp(-self.limit, self.limit)).mean(0)
        scale = 1 / q.abs().mean().detach() if self.case.normalise_q else 1.0
        actor_loss = self.case.alpha * distill_loss - scale * q.mean()

        self.step(critic_loss + flow_loss + actor_loss)
        return {"critic": critic_loss, "actor": actor_loss, "bc_flow": flow_loss, "distill": distill_loss, "q": q.mean()}

    def weights(self):
        return weights_of(self.nets)


KEYS = ("noise.next", "noise.start", "noise.time", "noise.action")


def inputs_of(case):
    g = torch.Generator().manual_seed(case.seed)
    limit = {"constant.max_action": torch.tensor([case.max_action])}
    noise = {key: torch.randn((UPDATES, BATCH, case.act), generator=g) for key in KEYS}
    noise["noise.time"] = torch.rand((UPDATES, BATCH), generator=g)
    # Wide heads, so that actions leave the limit.
    return limit | initial_weights(Fql.networks(case), g, head_gain=2.0) | batches(case, g) | noise


README = """# Golden files of the FQL update

`record.py` wrote the files here, this page included: its first lines say how to run it. It holds an FQL in PyTorch, feeds
it given batches and noise for 100 updates, and stores inputs and expected values, the latter computed in float64 and
rounded to float32.

| tensors | shape | what |
| --- | --- | --- |
| `initial.N.L.weight`, `initial.N.L.bias` | [out, in], [out] | networks N `actor` (the one-step policy), `flow`, `critic1`, `critic2`, and the targets, which start a little apart; `L.norm.*` the normalisation after a layer |
| `batch.*` | [100, 16, …] | states, actions, rewards, next states, 0 where the step was terminal |
| `noise.next`, `noise.start`, `noise.action` | [100, 16, act] | standard normals: for the next action, where flows start, for the action |
| `noise.time` | [100, 16] | uniform times |
| `after_U.*` | as above | after update U = 1, 2, 100 |
| `loss.*` | [100] | critics' mean squared error; the one-step policy's loss, and of it the distillation; the flow's; the mean value |
"""

if __name__ == "__main__":
    main(HERE, Fql, CASES, inputs_of, KEYS, README)
