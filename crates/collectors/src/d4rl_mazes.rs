//! How D4RL collected its AntMaze sets (`scripts/generation/generate_ant_maze_datasets.py`, `relabel_antmaze_rewards.py`):
//! an ant that walks in given directions is steered along a shortest way through the cells.
//!
//! Its script counts cells from their centres on, so way-points change where the next cell's centre is passed; and where the
//! next cell is the last, it heads for the episode's own goal. Among ways of equal length ours may take another.
//!
//! An episode is 1001 rows, whatever happens in it: neither a fall nor the goal ends it. Rewards and terminals are put in
//! afterwards, against one goal for the whole set: both are 1 where the state after the step is within 0.5 of it.

use crate::policy::Policy;
use crate::{Actor, Layout, Play, Script, as_f32};
use anyhow::{Context, Result};
use datasets::{Dtype, Extra, Recorder, Step};
use envs::{Action, Cell, Env, Maze, MujocoEnv};
use streams::Stream;

/// Rows of an episode.
const ROWS: usize = 1001;
/// Standard deviation of what is added to each action.
const NOISE: f64 = 0.2;
/// A way-point, a start cell's point or a goal's is beside the centre of its cell, by up to this in x and in y.
const JITTER: f64 = 1.0;
/// What a goal is off the centre by beside that.
const MORE_JITTER: f64 = 0.5;
/// The side of a cell.
const UNIT: f64 = 4.0;
/// How near the goal counts as there.
const RADIUS: f64 = 0.5;

/// Where episodes begin and lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ways {
    /// From the origin to the cell of the task's goal.
    Fixed,
    /// From any other cell to any of these.
    Listed(&'static [(usize, usize)]),
    /// From any cell to any, the same one too.
    Diverse,
}

const SETS: [(&str, Ways); 6] = [
    ("antmaze-umaze-v2", Ways::Fixed),
    ("antmaze-umaze-diverse-v2", Ways::Diverse),
    ("antmaze-medium-play-v2", Ways::Listed(&[(2, 6), (5, 1), (6, 5)])),
    ("antmaze-medium-diverse-v2", Ways::Diverse),
    ("antmaze-large-play-v2", Ways::Listed(&[(1, 6), (3, 5), (3, 10), (5, 2), (7, 4), (7, 6), (7, 9)])),
    ("antmaze-large-diverse-v2", Ways::Diverse),
];

pub(crate) fn scripts() -> impl Iterator<Item = Script> {
    SETS.into_iter().map(|(id, _)| Script {
        id,
        environment: id,
        episodes: 999,
        actor: Actor::Walker,
        layout: Layout::D4rl,
    })
}

pub(crate) struct Walk {
    env: MujocoEnv,
    maze: Maze,
    ways: Ways,
    walker: Policy,
    /// What rewards are about.
    goal: [f64; 2],
}

impl Walk {
    pub(crate) fn new(script: &Script, seed: u64, walker: Policy) -> Result<Self> {
        let (_, ways) = SETS.into_iter().find(|(id, _)| *id == script.id).context("no AntMaze of D4RL's")?;
        let maze = envs::maze(script.environment).context("an environment without a maze")?;
        let mut env = MujocoEnv::new(script.environment)?;
        env.reset(&mut Stream::new(seed, "goal"));
        let goal = [env.goal()[0], env.goal()[1]];
        Ok(Self { env, maze, ways, walker, goal })
    }

    fn start_and_goal(&self, stream: &mut Stream) -> (Cell, Cell) {
        let cells = self.maze.free_cells();
        match self.ways {
            Ways::Fixed => (Cell { row: 1, column: 1 }, self.maze.cell(self.goal)),
            Ways::Diverse => (cells[stream.index(cells.len())], cells[stream.index(cells.len())]),
            Ways::Listed(goals) => {
                let is_goal = |cell: &Cell| goals.contains(&(cell.row, cell.column));
                let starts: Vec<Cell> = cells.into_iter().filter(|cell| !is_goal(cell)).collect();
                let start = starts[stream.index(starts.len())];
                let (row, column) = goals[stream.index(goals.len())];
                (start, Cell { row, column })
            }
        }
    }

    /// A point near the centre of `cell`.
    fn near(&self, cell: Cell, stream: &mut Stream) -> [f64; 2] {
        self.maze.centre(cell).map(|centre| centre + stream.uniform_in(0.0, JITTER))
    }

    /// The cell that D4RL's script takes a point to be in, which may be a wall.
    fn cell([x, y]: [f64; 2]) -> Cell {
        let index = |at: f64| (1.0 + at.max(1e-4) / UNIT) as usize;
        Cell { row: index(y), column: index(x) }
    }

    fn xy(&self) -> [f64; 2] {
        [self.env.qpos()[0], self.env.qpos()[1]]
    }

    fn begin(&mut self, start: Cell, stream: &mut Stream) {
        self.env.reset(stream);
        if self.ways != Ways::Fixed {
            let (mut qpos, qvel) = (self.env.qpos().to_vec(), self.env.qvel().to_vec());
            qpos[..2].copy_from_slice(&self.near(start, stream));
            self.env.start_from(&qpos, &qvel);
        }
    }

    /// Where to walk now, on the way to `target` in the cell `goal`.
    fn way_point(&self, goal: Cell, target: [f64; 2], stream: &mut Stream) -> [f64; 2] {
        let next = self.maze.next_cell(Self::cell(self.xy()), goal);
        if next == goal { target } else { self.near(next, stream) }
    }
}

impl Play for Walk {
    fn episode(&mut self, stream: &mut Stream) -> Result<Recorder> {
        let extras = [("infos/goal", 2), ("infos/qpos", 15), ("infos/qvel", 14)];
        let extras = extras.map(|(name, width)| Extra::new(name, width, Dtype::F32)).to_vec();
        let spec = self.env.spec();
        let mut recorder = Recorder::new((spec.observation_dim, spec.action_dim), extras);
        let (start, goal) = self.start_and_goal(stream);
        self.begin(start, stream);
        let target = self.near(goal, stream).map(|x| (x + stream.uniform_in(0.0, MORE_JITTER)).max(0.0));
        let mut s = as_f32(self.env.observation());
        for row in 0..ROWS {
            let [x, y] = self.xy();
            let [to_x, to_y] = self.way_point(goal, target, stream);
            let action = self.walker.walk(&self.env, [to_x - x, to_y - y], NOISE, stream);
            self.env.step(Action::F32(&action));
            let next_s = as_f32(self.env.observation());
            let [x, y] = self.xy();
            let is_there = libm::hypot(x - self.goal[0], y - self.goal[1]) <= RADIUS;
            recorder.push(&Step {
                observation: &s,
                action: &action,
                reward: f32::from(u8::from(is_there)),
                terminal: is_there,
                timeout: row + 1 == ROWS,
                next_observation: &next_s,
                extras: &[&target, self.env.qpos(), self.env.qvel()],
            });
            s = next_s;
        }
        Ok(recorder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `_xy_to_rowcol` of D4RL's `maze_env.py`, by hand.
    #[test]
    fn cells_begin_at_their_centres() {
        let cell = |x: f64, y: f64| (Walk::cell([x, y]).row, Walk::cell([x, y]).column);
        assert_eq!(cell(0.0, 0.0), (1, 1));
        assert_eq!(cell(-1.9, 3.9), (1, 1));
        assert_eq!(cell(4.0, 8.1), (3, 2));
        assert_eq!(cell(3.9, 8.0), (3, 1));
    }
}
