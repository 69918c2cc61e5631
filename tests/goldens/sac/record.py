"""Records the golden files of the SAC update, computed with PyTorch.

Run it in this folder, with Python 3.11:

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python record.py            # writes *.safetensors and README.md
    venv/bin/python record.py --check    # recomputes and compares; writes nothing

Each case starts from given weights and feeds given batches and given noise to 100 updates. Inputs are float32 values; the
expected values are computed in float64 and rounded to float32 at the end. A second run in float32 measures how far
rounding alone leads away from them: README.md has the distances, and the tests take their tolerances from there.
"""

import argparse
import copy
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform
from torch.nn.functional import mse_loss

HERE = Path(__file__).resolve().parent

UPDATES = 100
BATCH = 16
CHECKPOINTS = (1, 2, 100)
DISCOUNT = 0.99
POLYAK = 0.005
LEARNING_RATE = 3e-4
LOG_STD = (-20.0, 2.0)


@dataclass(frozen=True)
class Case:
    name: str
    seed: int
    obs: int
    act: int
    hidden: tuple[int, int]
    max_action: float
    temperature: float
    # An action dimension; None where the temperature is fixed.
    target_entropy: float | None


CASES = (
    Case("automatic", 7, obs=5, act=3, hidden=(32, 32), max_action=1.0, temperature=0.5, target_entropy=-1.0),
    Case("fixed", 11, obs=11, act=2, hidden=(48, 16), max_action=0.4, temperature=0.2, target_entropy=None),
)


def mlp(inputs, hidden, outputs):
    return nn.Sequential(
        nn.Linear(inputs, hidden[0]), nn.ReLU(),
        nn.Linear(hidden[0], hidden[1]), nn.ReLU(),
        nn.Linear(hidden[1], outputs),
    )  # fmt: skip


def named_parameters(network, net):
    """Parameters as `actor.0.weight`, where the number counts the linear layers only."""
    linears = [layer for layer in net if isinstance(layer, nn.Linear)]
    for index, linear in enumerate(linears):
        yield f"{network}.{index}.weight", linear.weight
        yield f"{network}.{index}.bias", linear.bias


class Sac:
    """SAC with twin critics; densities of actions in units of the limit come from torch.distributions."""

    def __init__(self, case, inputs, dtype):
        self.case, self.dtype = case, dtype
        self.limit = float(inputs["constant.max_action"][0])
        torch.set_default_dtype(dtype)
        self.nets = {
            "actor": mlp(case.obs, case.hidden, 2 * case.act),
            "critic1": mlp(case.obs + case.act, case.hidden, 1),
            "critic2": mlp(case.obs + case.act, case.hidden, 1),
        }
        with torch.no_grad():
            for name, net in self.nets.items():
                for key, parameter in named_parameters(name, net):
                    parameter.copy_(inputs[f"initial.{key}"])
        self.targets = {name: copy.deepcopy(self.nets[name]) for name in ("critic1", "critic2")}
        # The starting value is a float32 number on both sides.
        start = torch.tensor([case.temperature], dtype=torch.float64).log().float()
        self.log_alpha = start.to(dtype).requires_grad_()
        critics = [*self.nets["critic1"].parameters(), *self.nets["critic2"].parameters()]
        self.critic_adam = torch.optim.Adam(critics, lr=LEARNING_RATE)
        self.actor_adam = torch.optim.Adam(self.nets["actor"].parameters(), lr=LEARNING_RATE)
        self.alpha_adam = torch.optim.Adam([self.log_alpha], lr=LEARNING_RATE)

    def sample(self, s, noise):
        mean, log_std = self.nets["actor"](s).chunk(2, dim=1)
        gaussian = Normal(mean, log_std.clamp(*LOG_STD).exp())
        squashed = TransformedDistribution(gaussian, [TanhTransform(cache_size=1)])
        # The transform's cache keeps the inverse exact.
        y = squashed.transforms[0](gaussian.loc + gaussian.scale * noise)
        return y * self.limit, squashed.log_prob(y).sum(1, keepdim=True)

    def update(self, s, a, r, next_s, not_done, next_noise, noise):
        alpha = self.log_alpha.detach().exp()
        with torch.no_grad():
            next_a, next_density = self.sample(next_s, next_noise)
            next_sa = torch.cat([next_s, next_a], 1)
            next_q = torch.min(self.targets["critic1"](next_sa), self.targets["critic2"](next_sa))
            y = r[:, None] + not_done[:, None] * DISCOUNT * (next_q - alpha * next_density)
        sa = torch.cat([s, a], 1)
        critic_loss = mse_loss(self.nets["critic1"](sa), y) + mse_loss(self.nets["critic2"](sa), y)
        self.critic_adam.zero_grad()
        critic_loss.backward()
        self.critic_adam.step()

        action, density = self.sample(s, noise)
        sa = torch.cat([s, action], 1)
        q = torch.min(self.nets["critic1"](sa), self.nets["critic2"](sa))
        actor_loss = (alpha * density - q).mean()
        self.actor_adam.zero_grad()
        actor_loss.backward()
        self.actor_adam.step()

        if self.case.target_entropy is not None:
            target = self.case.target_entropy * self.case.act
            alpha_loss = -(self.log_alpha.exp() * (density.detach() + target)).mean()
            self.alpha_adam.zero_grad()
            alpha_loss.backward()
            self.alpha_adam.step()
        with torch.no_grad():
            for name, target in self.targets.items():
                for online, t in zip(self.nets[name].parameters(), target.parameters()):
                    t.mul_(1 - POLYAK).add_(POLYAK * online)
        return critic_loss.detach(), actor_loss.detach()

    def weights(self):
        nets = self.nets | {f"target_{name}": net for name, net in self.targets.items()}
        named = {key: p.detach().clone() for name, net in nets.items() for key, p in named_parameters(name, net)}
        return named | {"log_alpha": self.log_alpha.detach().clone()}


def inputs_of(case):
    """Weights by PyTorch's own bounds, batches and noise, all of them float32 values."""
    g = torch.Generator().manual_seed(case.seed)
    normal = lambda *shape: torch.randn(shape, generator=g)
    inputs = {"constant.max_action": torch.tensor([case.max_action])}
    networks = {"actor": (case.obs, 2 * case.act), "critic1": (case.obs + case.act, 1), "critic2": (case.obs + case.act, 1)}
    for name, (i, o) in networks.items():
        for key, p in named_parameters(name, mlp(i, case.hidden, o)):
            fan_in = p.shape[1] if p.dim() == 2 else fan_in
            # A wide actor head, so that tanh bends.
            scale = 3.0 if key.startswith("actor.2") else 1.0
            inputs[f"initial.{key}"] = (torch.rand(p.shape, generator=g) * 2 - 1) * scale * fan_in**-0.5
    state = normal(UPDATES, BATCH, case.obs)
    inputs |= {
        "batch.state": state,
        "batch.action": (torch.rand((UPDATES, BATCH, case.act), generator=g) * 2 - 1) * case.max_action,
        "batch.reward": normal(UPDATES, BATCH),
        "batch.next_state": state + 0.3 * normal(UPDATES, BATCH, case.obs),
        "batch.not_done": (torch.rand((UPDATES, BATCH), generator=g) > 0.1).float(),
        "noise.next": normal(UPDATES, BATCH, case.act),
        "noise.actor": normal(UPDATES, BATCH, case.act),
    }
    return {key: value.float() for key, value in inputs.items()}


def run(case, inputs, dtype):
    torch.set_default_dtype(torch.float32)
    sac = Sac(case, inputs, dtype)
    keys = ("batch.state", "batch.action", "batch.reward", "batch.next_state", "batch.not_done", "noise.next", "noise.actor")
    outputs, losses = {}, []
    for i in range(UPDATES):
        losses.append(sac.update(*(inputs[key][i].to(dtype) for key in keys)))
        if i + 1 in CHECKPOINTS:
            outputs |= {f"after_{i + 1}.{key}": value for key, value in sac.weights().items()}
    outputs["loss.critic"], outputs["loss.actor"] = (torch.stack(column) for column in zip(*losses))
    torch.set_default_dtype(torch.float32)
    return outputs


def distance(a, b, prefix):
    keys = [key for key in b if key.startswith(prefix)]
    difference = torch.cat([(a[key].double() - b[key].double()).flatten() for key in keys])
    return difference.abs().max().item(), difference.square().mean().sqrt().item()


README = """# Golden files of the SAC update

`record.py` wrote the files here, this page included: its first lines say how to run it. It holds a SAC in PyTorch, whose
densities are those of `torch.distributions`, feeds it given batches and noise for 100 updates, and stores inputs and
expected values, the latter computed in float64 and rounded to float32.

| tensors | shape | what |
| --- | --- | --- |
| `initial.N.L.weight`, `initial.N.L.bias` | [out, in], [out] | networks N `actor` (mean, then ln of the standard deviation), `critic1`, `critic2`; the targets start equal |
| `batch.*` | [100, 16, …] | states, actions, rewards, next states, 0 where the step was terminal |
| `noise.next`, `noise.actor` | [100, 16, act] | standard normals for the actions in the next state and in the state |
| `after_U.*` | as above | after update U = 1, 2, 100; N also `target_critic1`, `target_critic2`; `log_alpha` |
| `loss.critic`, `loss.actor` | [100] | sum of both mean squared errors; mean of α ln π − min Q, after the critics' step |

How far PyTorch's own float32 run lies from its float64 run, over all parameters:

| case | after update | largest distance | RMS |
| --- | --- | --- | --- |
"""


def main():
    parser = argparse.ArgumentParser(description="Records the golden files of the SAC update.")
    parser.add_argument("--check", action="store_true", help="recompute, compare with the files here, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    readme, complaints = README, []
    for case in CASES:
        path = HERE / f"{case.name}.safetensors"
        inputs = {k: v for k, v in load_file(path).items() if not k.startswith(("after", "loss"))} if check else inputs_of(case)
        exact, rounded = run(case, inputs, torch.float64), run(case, inputs, torch.float32)
        golden = inputs | {key: value.float().contiguous() for key, value in exact.items()}
        for update in CHECKPOINTS:
            far, rms = distance(rounded, exact, f"after_{update}.")
            readme += f"| {case.name} | {update} | {far:.1e} | {rms:.1e} |\n"
        if check:
            # The last bits of exp and tanh differ between processors.
            far = max(distance(golden, load_file(path), key)[0] for key in golden)
            print(f"{case.name}: largest distance {far:.1e}")
            complaints += [case.name] if far > 1e-6 else []
        else:
            save_file(golden, path, metadata={"case": json.dumps(asdict(case))})
    if not check:
        (HERE / "README.md").write_text(readme)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
