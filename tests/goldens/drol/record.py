"""Records the golden files of the DROL update, computed with PyTorch.

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

from recording import BATCH, UPDATES, batches, gelu, initial_weights, main, mlp  # noqa: E402

spec = spec_from_file_location("fql", HERE.parent / "fql" / "record.py")
fql = module_from_spec(spec)
sys.modules["fql"] = fql
spec.loader.exec_module(fql)


@dataclass(frozen=True)
class Case:
    name: str
    seed: int
    obs: int
    act: int
    hidden: tuple[int, ...]
    max_action: float
    target: str
    candidates: int
    bc_coef: float


CASES = (
    Case("routed", 2, obs=5, act=3, hidden=(32, 32, 32), max_action=1.0, target="mean", candidates=5, bc_coef=3.0),
    Case("single", 2, obs=11, act=2, hidden=(48, 16), max_action=1.0, target="min", candidates=1, bc_coef=0.3),
)


class Drol(fql.Fql):
    """DROL, with a tape of all candidates through actor and critics: losers are left out at the end. Critics, their
    update and the order of steps are FQL's."""

    margin = float("inf")

    @staticmethod
    def networks(case):
        nets = fql.Fql.networks(case)
        del nets["flow"]
        return nets

    def update(self, s, a, r, next_s, not_done, next_latent, latents):
        critic_loss = self.critic_loss(s, a, r, next_s, not_done, next_latent)

        size, k = len(s), self.case.candidates
        # [size, K, …]
        z = latents.transpose(0, 1).reshape(size * k, -1)
        states = s.repeat_interleave(k, dim=0)
        flat = self.policy(states, z).clamp(-self.limit, self.limit)
        candidates = flat.reshape(size, k, -1)
        distances = ((candidates - a[:, None]) ** 2).sum(2)
        winners = distances.argmin(1)
        rows = torch.arange(size)
        bc_loss = (distances / self.case.act)[rows, winners].mean()
        q = self.frozen_q(states, flat).min(0).values.reshape(size, k)[rows, winners]
        scale = 1 / q.abs().mean().detach().clamp(min=1e-6)
        actor_loss = self.case.bc_coef * bc_loss - scale * q.mean()

        with torch.no_grad():
            divergence = ((candidates - candidates.mean(1, keepdim=True)) ** 2).mean()
            pairs = ((candidates[:, :, None] - candidates[:, None]) ** 2).mean(3)
            pairwise = (pairs.sum((1, 2)) / max(k * (k - 1), 1)).mean().sqrt()
            if k > 1:
                two = distances.topk(2, dim=1, largest=False).values
                self.margin = min(self.margin, (two[:, 1] - two[:, 0]).min().item())

        self.step(critic_loss + actor_loss)
        return {
            "critic": critic_loss, "actor": actor_loss, "bc": bc_loss, "q": q.mean(),
            "candidate_divergence": divergence, "pairwise_distance": pairwise, "margin": self.margin,
        }  # fmt: skip


KEYS = ("latent.next", "latent.candidates")


def inputs_of(case):
    g = torch.Generator().manual_seed(case.seed)
    limit = {"constant.max_action": torch.tensor([case.max_action])}

    def ball(*shape):
        x = torch.randn((*shape, case.act), generator=g)
        radius = case.act**0.5 * torch.rand((*shape, 1), generator=g) ** (1 / case.act)
        return radius * x / x.norm(dim=-1, keepdim=True)

    latents = {"latent.next": ball(UPDATES, BATCH), "latent.candidates": ball(UPDATES, case.candidates, BATCH)}
    # Wide heads, so that actions leave the limit.
    return limit | initial_weights(Drol.networks(case), g, head_gain=2.0) | batches(case, g) | latents


README = """# Golden files of the DROL update

`record.py` wrote the files here, this page included: its first lines say how to run it. It holds a DROL in PyTorch that
keeps a tape of all candidates through actor and critics, feeds it given batches and latents for 100 updates, and stores
inputs and expected values, the latter computed in float64 and rounded to float32.

| tensors | shape | what |
| --- | --- | --- |
| `initial.N.L.weight`, `initial.N.L.bias` | [out, in], [out] | networks N `actor`, `critic1`, `critic2`, and the targets, which start a little apart; `L.norm.*` the normalisation after a layer |
| `batch.*` | [100, 16, …] | states, actions, rewards, next states, 0 where the step was terminal |
| `latent.next`, `latent.candidates` | [100, 16, act], [100, K, 16, act] | draws of the prior |
| `after_U.*` | as above | after update U = 1, 2, 100 |
| `loss.*` | [100] | critics' mean squared error; the actor's loss, and of it the distance to the data and the mean value; the candidates' spread; `margin`, the least lead so far of a winner, in squared distance |
"""

if __name__ == "__main__":
    main(HERE, Drol, CASES, inputs_of, KEYS, README)
