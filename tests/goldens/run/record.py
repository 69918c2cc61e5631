"""Records whole runs of TD3 and TD3-DAI with PyTorch and Gymnasium, by the draws that a run here makes.

Run it in this folder, with Python 3.11:

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python record.py            # writes evaluations and training of each case, and README.md
    venv/bin/python record.py --check    # trains again and compares; writes nothing

Nothing is shared with the program but the settings below and the meaning of each named stream (`streams.py`): when actions
are random, what is drawn in which order, what is kept, when updates begin, what ends an episode, what is evaluated when.
Networks are in float64. A second run in float32 measures how far rounding alone leads away: README.md has the distances,
and the test takes its tolerances from there.
"""

import argparse
import copy
import csv
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import gymnasium
import mujoco
import numpy as np
import torch
from streams import Stream
from torch import nn

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Case:
    task: str
    limit: float  # Actions reach from minus this to this.
    steps: int
    start_steps: int
    evaluate_every: int
    guided_steps: int = 0  # Until then an expert's share of the action falls from all to nothing.
    noise: tuple = ()  # Of positions and velocities at a start: what kind, and how much.
    seed: int = 7
    episodes: int = 2
    hidden: tuple = (32, 32)
    learning_rate: float = 1e-3
    discount: float = 0.99
    polyak: float = 0.005
    exploration_noise: float = 0.1
    target_policy_noise: float = 0.2
    target_noise_clip: float = 0.5
    policy_delay: int = 2
    capacity: int = 300
    batch_size: int = 32


# The expert's.
GOAL = 20.0

CASES = {
    # Episodes that end by their limit of 25 steps are no ends of the task, those that leave it are.
    "point": Case("Mock-v0", 0.5, 2000, 200, 100),
    # Guided by an expert from a run of another seed.
    "guided_point": Case("Mock-v0", 0.5, 600, 200, 50, guided_steps=450),
    # Falls after some twenty steps; actions reach to 0.4.
    "humanoid": Case("Humanoid-v5", 0.4, 500, 250, 50, noise=(("uniform", 0.01), ("uniform", 0.01))),
    # Velocities at a start are normal. It is chaotic: after some 200 random steps another 1e-15 is another course.
    "half_cheetah": Case("HalfCheetah-v5", 1.0, 100, 50, 25, noise=(("uniform", 0.1), ("normal", 0.1))),
}


class Simulated:
    """A task of Gymnasium's with our draws of starts."""

    def __init__(self, case):
        self.env, self.noise = gymnasium.make(case.task), case.noise
        self.sizes = self.env.observation_space.shape[0], self.env.action_space.shape[0]

    def start(self, stream):
        self.env.reset()
        simulator = self.env.unwrapped
        # Nothing stays of the start that was drawn just now, not even what the solver would begin with.
        mujoco.mj_resetData(simulator.model, simulator.data)
        draw = {"uniform": lambda scale: stream.uniform(-scale, scale), "normal": lambda scale: scale * stream.normal()}
        state = []
        for initial, (kind, scale) in zip((simulator.init_qpos, simulator.init_qvel), self.noise):
            state.append(np.array([x + draw[kind](scale) for x in initial]))
        simulator.set_state(*state)
        return np.float32(simulator._get_obs())

    def step(self, action):
        s, reward, terminated, truncated, _ = self.env.step(action)
        return np.float32(s), reward, terminated, truncated


class Point:
    """Drifts outwards and can be pushed: `crates/envs/src/mock.rs`."""

    sizes = 2, 1

    def start(self, stream):
        self.x, self.v, self.steps = stream.uniform(-0.5, 0.5), 0.0, 0
        return np.float32([self.x, self.v])

    def step(self, action):
        self.v = 0.9 * self.v + 0.1 * float(action[0])
        self.x = 1.05 * self.x + self.v
        self.steps += 1
        return np.float32([self.x, self.v]), 1.0 - self.x * self.x, abs(self.x) > 1.0, self.steps >= 25


def mlp(sizes, stream, dtype):
    """A perceptron by PyTorch's own initialisation: weight, then bias, uniform within 1/√inputs."""
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        linear = nn.Linear(inputs, outputs, dtype=dtype)
        for parameter in (linear.weight, linear.bias):
            draws = [stream.uniform(-(inputs**-0.5), inputs**-0.5) for _ in range(parameter.numel())]
            drawn = torch.tensor(np.float32(draws), dtype=dtype).reshape(parameter.shape)
            parameter.data.copy_(drawn)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def expert_of(case, dtype):
    """Of a run that ends where an evaluation reaches the goal, the policy whose evaluation is nearest to it."""
    run = Run(replace(case, seed=1008, guided_steps=0, steps=3000), dtype)
    policies = []

    def is_enough(mean):
        policies.append((abs(mean - GOAL), copy.deepcopy(run.actor)))
        return mean >= GOAL

    run.train(is_enough)
    return min(policies, key=lambda policy: policy[0])[1]


class Run:
    def __init__(self, case, dtype):
        self.case, self.dtype = case, dtype
        self.expert = expert_of(case, dtype) if case.guided_steps else None
        self.env, self.test_env = (Point() if case.task == "Mock-v0" else Simulated(case) for _ in range(2))
        stream = lambda purpose: Stream(case.seed, purpose)
        self.starts, self.draws = stream("env"), stream("replay")
        self.random_actions, self.exploration = stream("random-actions"), stream("exploration")
        self.target_noise = stream("target-noise")

        observations, actions = self.env.sizes
        init = stream("init")
        self.actor = mlp((observations, *case.hidden, actions), init, dtype)
        self.critics = nn.ModuleList(mlp((observations + actions, *case.hidden, 1), init, dtype) for _ in range(2))
        self.target_actor, self.target_critics = copy.deepcopy(self.actor), copy.deepcopy(self.critics)
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), lr=case.learning_rate)
        self.critic_adam = torch.optim.Adam(self.critics.parameters(), lr=case.learning_rate)
        self.replay, self.updates = [], 0
        self.evaluations, self.training, self.losses, self.returns = [], [], {"critic": [], "actor": []}, []

    def policy(self, actor, s):
        return self.case.limit * torch.tanh(actor(s))

    def act(self, s, actor=None):
        with torch.no_grad():
            return np.float32(self.policy(actor or self.actor, torch.tensor(s, dtype=self.dtype)).numpy())

    def guided(self, t, s, a):
        """(1 - alpha) times the expert's action plus alpha times `a`."""
        alpha = min(1.0, t / self.case.guided_steps) if self.expert else 1.0
        return a if alpha == 1.0 else np.float32((1 - alpha) * np.float64(self.act(s, self.expert)) + alpha * np.float64(a))

    def play(self, policy):
        starts = Stream(self.case.seed, "eval")
        returns, lengths = [], []
        for _ in range(self.case.episodes):
            s, total, length, ended = self.test_env.start(starts), 0.0, 0, False
            while not ended:
                s, reward, terminated, truncated = self.test_env.step(policy(s))
                total, length, ended = total + reward, length + 1, terminated or truncated
            returns.append(total)
            lengths.append(length)
        return returns, lengths

    def evaluate(self, t):
        """The mean return of the learner's own policy."""
        returns, lengths = self.play(self.act)
        self.evaluations.append([t, *returns, *lengths])
        if t < self.case.guided_steps:
            guided = self.play(lambda s: self.guided(t, s, self.act(s)))
            self.evaluations.append([t, *guided[0], *guided[1]])
        if t > 0:
            mean = lambda values: float(np.mean(values)) if values else ""
            losses = mean(self.losses["critic"]), mean(self.losses["actor"])
            self.training.append([t, *losses, len(self.returns), mean(self.returns)])
            self.losses, self.returns = {"critic": [], "actor": []}, []
        return np.mean(returns)

    def update(self):
        case = self.case
        rows = [self.replay[self.draws.index(len(self.replay))] for _ in range(case.batch_size)]
        s, a, r, goes_on, next_s = (torch.tensor(np.array(column), dtype=self.dtype) for column in zip(*rows))
        noise = [[self.target_noise.normal() for _ in range(a.shape[1])] for _ in rows]
        noise = torch.tensor(np.float32(noise), dtype=self.dtype) * case.target_policy_noise * case.limit
        bound = case.target_noise_clip * case.limit
        self.updates += 1
        with torch.no_grad():
            next_a = self.policy(self.target_actor, next_s) + noise.clamp(-bound, bound)
            beside = torch.cat([next_s, next_a.clamp(-case.limit, case.limit)], 1)
            next_q = torch.minimum(*(critic(beside)[:, 0] for critic in self.target_critics))
            y = r + case.discount * goes_on * next_q
        loss = sum(nn.functional.mse_loss(critic(torch.cat([s, a], 1))[:, 0], y) for critic in self.critics)
        self.critic_adam.zero_grad()
        loss.backward()
        self.critic_adam.step()
        self.losses["critic"].append(loss.item())
        if self.updates % case.policy_delay == 0:
            loss = -self.critics[0](torch.cat([s, self.policy(self.actor, s)], 1)).mean()
            self.actor_adam.zero_grad()
            loss.backward()
            self.actor_adam.step()
            self.losses["actor"].append(loss.item())
            with torch.no_grad():
                for target, online in ((self.target_actor, self.actor), (self.target_critics, self.critics)):
                    for slow, parameter in zip(target.parameters(), online.parameters()):
                        slow.lerp_(parameter, case.polyak)

    def train(self, is_enough=lambda mean: False):
        """Trains until the steps are done, or an evaluation is enough."""
        case, limit = self.case, self.case.limit
        s, total = self.env.start(self.starts), 0.0
        actions = self.env.sizes[1]
        for t in range(case.steps):
            if t % case.evaluate_every == 0 and is_enough(self.evaluate(t)):
                return
            if t < case.start_steps:
                a = np.float32([self.random_actions.uniform(-limit, limit) for _ in range(actions)])
            else:
                noise = np.float32([case.exploration_noise * limit * self.exploration.normal() for _ in range(actions)])
                a = np.clip(self.act(s) + noise, -np.float32(limit), np.float32(limit))
            a = self.guided(t, s, a)
            next_s, reward, terminated, truncated = self.env.step(a)
            total += reward
            if len(self.replay) < case.capacity:
                self.replay.append(None)
            self.replay[t % case.capacity] = (s, a, np.float32(reward), float(not terminated or truncated), next_s)
            s = next_s
            if t >= case.start_steps:
                self.update()
            if terminated or truncated:
                self.returns.append(total)
                s, total = self.env.start(self.starts), 0.0
        self.evaluate(case.steps)
        return self.evaluations, self.training


def distance(a, b):
    """The largest relative distance of two tables' numbers."""
    pairs = [(x, y) for row, other in zip(a, b, strict=True) for x, y in zip(row, other, strict=True) if y != ""]
    return max(abs(float(x) - float(y)) / max(1.0, abs(float(y))) for x, y in pairs)


README = """# Golden runs

Whole runs of TD3 and TD3-DAI trained by PyTorch and Gymnasium with the draws of a run here: `record.py` says how.

How far PyTorch's own float32 run lies from its float64 run, relatively, over all numbers:

| case | evaluations | training |
| --- | --- | --- |
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="train again, compare with the files here, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    readme, complaints = README, []
    for name, case in CASES.items():
        exact, rounded = (Run(case, dtype).train() for dtype in (torch.float64, torch.float32))
        far = [distance(a, b) for a, b in zip(rounded, exact)]
        readme += f"| {name} | {far[0]:.1e} | {far[1]:.1e} |\n"
        for table, what in zip(exact, ("evaluations", "training")):
            path = HERE / f"{name}_{what}.csv"
            if not check:
                with path.open("w", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerows(table)
                continue
            with path.open() as file:
                recorded = list(csv.reader(file))
            if distance(recorded, table) > 1e-6:
                complaints.append(f"{path.name} lies {distance(recorded, table):.1e} away")
    if not check:
        (HERE / "README.md").write_text(readme)
    sys.exit("; ".join(complaints) or None)


if __name__ == "__main__":
    main()
