"""Records the golden files of the IQL update, computed with PyTorch.

Run it in this folder, with Python 3.11:

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python record.py            # writes *.safetensors and README.md
    venv/bin/python record.py --check    # recomputes and compares; writes nothing
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.distributions import Independent, Normal
from torch.nn.functional import mse_loss
from torch.optim.lr_scheduler import CosineAnnealingLR

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from recording import batches, initial_weights, load_networks, main, mlp, polyak, weights_of  # noqa: E402

DISCOUNT = 0.99
POLYAK = 0.005
LEARNING_RATE = 3e-4
WEIGHT_LIMIT = 100.0
LOG_STD = (-5.0, 2.0)


@dataclass(frozen=True)
class Case:
    name: str
    seed: int
    obs: int
    act: int
    hidden: tuple[int, int]
    max_action: float
    expectile: float
    beta: float
    # Updates until the policy's learning rate is 0; None where it stays.
    decay: int | None


CASES = (
    Case("locomotion", 2, obs=5, act=3, hidden=(32, 32), max_action=1.0, expectile=0.7, beta=3.0, decay=120),
    Case("antmaze", 2, obs=11, act=2, hidden=(48, 16), max_action=0.4, expectile=0.9, beta=10.0, decay=None),
)


class Iql:
    """IQL in the order of PEX's code."""

    def __init__(self, case, inputs):
        self.case = case
        self.limit = float(inputs["constant.max_action"][0])
        self.nets = self.networks(case)
        load_networks(self.nets, inputs)
        self.log_std = torch.zeros(case.act, requires_grad=True)
        critics = [*self.nets["critic1"].parameters(), *self.nets["critic2"].parameters()]
        self.value_adam = torch.optim.Adam(self.nets["value"].parameters(), lr=LEARNING_RATE)
        self.critic_adam = torch.optim.Adam(critics, lr=LEARNING_RATE)
        self.actor_adam = torch.optim.Adam([*self.nets["actor"].parameters(), self.log_std], lr=LEARNING_RATE)
        self.schedule = CosineAnnealingLR(self.actor_adam, case.decay) if case.decay else None

    @staticmethod
    def networks(case):
        critic = (case.obs + case.act, *case.hidden, 1)
        return {
            "actor": mlp((case.obs, *case.hidden, case.act)),
            "value": mlp((case.obs, *case.hidden, 1)),
        } | {name: mlp(critic) for name in ("critic1", "critic2", "target_critic1", "target_critic2")}

    def v(self, s):
        return self.nets["value"](s).squeeze(1)

    def q(self, prefix, s, a):
        sa = torch.cat([s, a], 1)
        return tuple(self.nets[f"{prefix}critic{i}"](sa).squeeze(1) for i in (1, 2))

    def policy(self, s):
        mean = self.limit * torch.tanh(self.nets["actor"](s))
        return Independent(Normal(mean, self.log_std.clamp(*LOG_STD).exp()), 1)

    def update_values(self, s, a, r, next_s, not_done):
        with torch.no_grad():
            target_q = torch.minimum(*self.q("target_", s, a))
            next_v = self.v(next_s)
        u = target_q - self.v(s)
        value_loss = ((self.case.expectile - (u <= 0).to(u.dtype)).abs() * u**2).mean()
        self.value_adam.zero_grad()
        value_loss.backward()
        self.value_adam.step()

        y = r + not_done * DISCOUNT * next_v
        critic_loss = sum(mse_loss(q, y) for q in self.q("", s, a)) / 2
        self.critic_adam.zero_grad()
        critic_loss.backward()
        self.critic_adam.step()
        for i in (1, 2):
            polyak(self.nets[f"target_critic{i}"], self.nets[f"critic{i}"], POLYAK)
        return {"value": value_loss, "critic": critic_loss}, u.detach()

    def update_policy(self, s, a, advantage):
        weight = (self.case.beta * advantage).exp().clamp(max=WEIGHT_LIMIT)
        loss = (-weight * self.policy(s).log_prob(a)).mean()
        self.actor_adam.zero_grad()
        loss.backward()
        self.actor_adam.step()
        if self.schedule:
            self.schedule.step()
        return {"actor": loss, "limited": (weight == WEIGHT_LIMIT).to(loss.dtype).mean()}

    def update(self, s, a, r, next_s, not_done):
        losses, advantage = self.update_values(s, a, r, next_s, not_done)
        return losses | self.update_policy(s, a, advantage)

    def weights(self):
        return weights_of(self.nets) | {"actor.log_std": self.log_std.detach().clone()}


def inputs_of(case):
    g = torch.Generator().manual_seed(case.seed)
    limit = {"constant.max_action": torch.tensor([case.max_action])}
    # Wide heads, so that tanh bends and weights meet their limit.
    initial = initial_weights(Iql.networks(case), g, head_gain=3.0)
    return limit | initial | batches(case, g)


README = """# Golden files of the IQL update

`record.py` wrote the files here, this page included: its first lines say how to run it. It holds an IQL in PyTorch, with
densities from `torch.distributions` and the schedule of `torch.optim`, feeds it given batches for 100 updates, and stores
inputs and expected values, the latter computed in float64 and rounded to float32.

| tensors | shape | what |
| --- | --- | --- |
| `initial.N.L.weight`, `initial.N.L.bias` | [out, in], [out] | networks N `actor` (the mean), `value`, `critic1`, `critic2`, and the targets, which start a little apart; ln of the standard deviation starts at 0 |
| `batch.*` | [100, 16, …] | states, actions, rewards, next states, 0 where the step was terminal |
| `after_U.*` | as above | after update U = 1, 2, 100; `actor.log_std` too |
| `loss.value`, `loss.critic`, `loss.actor` | [100] | expectile loss; mean over both critics; mean of −weight · ln π; beside them `loss.limited`, the share of weights at their limit |
"""

if __name__ == "__main__":
    main(HERE, Iql, CASES, inputs_of, (), README)
