"""Trains Stable-Baselines3's TD3 on Gymnasium, to hold our learning curves against another program's on the same simulator.

    python -m venv venv && venv/bin/pip install -r ../../benches/peers/requirements.txt
    venv/bin/python sb3.py --seed 0 --settings paper > sb3-paper-seed0.csv

Prints step and mean return of ten episodes without noise, every 5,000 steps, as METHODOLOGY.md has it. `paper` are the
settings of TD3's paper, `later` those that its authors' code has now.
"""

import argparse

import gymnasium
import numpy as np
import torch
from stable_baselines3 import TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import NormalActionNoise

SETTINGS = {
    "paper": dict(hidden=[400, 300], learning_rate=1e-3, batch_size=100, start_steps=10_000),
    "later": dict(hidden=[256, 256], learning_rate=3e-4, batch_size=256, start_steps=25_000),
}
EVERY = 5_000
EPISODES = 10


class Evaluation(BaseCallback):
    def __init__(self, task, seed):
        super().__init__()
        self.task, self.seed = task, seed

    def _on_step(self):
        if self.num_timesteps % EVERY == 0:
            print(f"{self.num_timesteps},{self.mean_return()}", flush=True)
        return True

    def mean_return(self):
        env = gymnasium.make(self.task)
        returns = []
        for episode in range(EPISODES):
            observation, _ = env.reset(seed=self.seed + 100 if episode == 0 else None)
            total, ended = 0.0, False
            while not ended:
                action, _ = self.model.predict(observation, deterministic=True)
                observation, reward, terminated, truncated, _ = env.step(action)
                total += reward
                ended = terminated or truncated
            returns.append(total)
        return np.mean(returns)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="HalfCheetah-v5", help="where actions reach less far, its critics see them scaled to 1")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--settings", choices=SETTINGS, required=True)
    parser.add_argument("--steps", type=int, default=200_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = SETTINGS[arguments.settings]
    env = gymnasium.make(arguments.task)
    actions = env.action_space.shape[0]
    model = TD3(
        "MlpPolicy",
        env,
        learning_rate=settings["learning_rate"],
        buffer_size=arguments.steps,
        learning_starts=settings["start_steps"],
        batch_size=settings["batch_size"],
        tau=0.005,
        gamma=0.99,
        train_freq=1,
        gradient_steps=1,
        action_noise=NormalActionNoise(np.zeros(actions), 0.1 * np.ones(actions)),
        policy_delay=2,
        target_policy_noise=0.2,
        target_noise_clip=0.5,
        policy_kwargs=dict(net_arch=settings["hidden"]),
        seed=arguments.seed,
        device="cpu",
    )
    print("step,mean_return", flush=True)
    model.learn(arguments.steps, callback=Evaluation(arguments.task, arguments.seed))


if __name__ == "__main__":
    main()
