//! How OGBench collected its maze sets (`data_gen_scripts/generate_locomaze.py`): a point, or an ant that walks in given
//! directions, is steered along a shortest way through the cells.
//!
//! An episode begins anywhere and goes on for so many rows: `navigate` to one goal after the other, `stitch` to one that is
//! four cells away, `explore` in a new direction every ten steps.

use crate::policy::{Policy, unit};
use crate::{Actor, Layout, Play, Script, as_f32};
use anyhow::{Context, Result};
use datasets::{Dtype, Extra, Recorder, Step};
use envs::{Action, Cell, Env as _, Maze, MujocoEnv};
use streams::Stream;

/// A start or a goal is this far from the centre of its cell at most, in x and in y.
const JITTER: f64 = 1.0;
/// Cells from the start of `stitch` to its goal.
const WAY: usize = 4;
/// Steps of `explore` in one direction.
const LEG: usize = 10;

/// How an episode goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Navigate,
    Stitch,
    Explore,
}

/// A data set: its id, the default task of its environment, who moves, how, episodes, and rows of one.
type Set = (&'static str, &'static str, Actor, Kind, usize, usize);

const POINT: Actor = Actor::Nobody;
const ANT: Actor = Actor::Walker;
const SETS: [Set; 14] = [
    ("pointmaze-medium-navigate-v0", "pointmaze-medium-singletask-v0", POINT, Kind::Navigate, 1000, 1001),
    ("pointmaze-large-navigate-v0", "pointmaze-large-singletask-v0", POINT, Kind::Navigate, 1000, 1001),
    ("pointmaze-giant-navigate-v0", "pointmaze-giant-singletask-v0", POINT, Kind::Navigate, 500, 2001),
    ("pointmaze-medium-stitch-v0", "pointmaze-medium-singletask-v0", POINT, Kind::Stitch, 5000, 201),
    ("pointmaze-large-stitch-v0", "pointmaze-large-singletask-v0", POINT, Kind::Stitch, 5000, 201),
    ("pointmaze-giant-stitch-v0", "pointmaze-giant-singletask-v0", POINT, Kind::Stitch, 5000, 201),
    ("antmaze-medium-navigate-v0", "antmaze-medium-singletask-v0", ANT, Kind::Navigate, 1000, 1001),
    ("antmaze-large-navigate-v0", "antmaze-large-singletask-v0", ANT, Kind::Navigate, 1000, 1001),
    ("antmaze-giant-navigate-v0", "antmaze-giant-singletask-v0", ANT, Kind::Navigate, 500, 2001),
    ("antmaze-medium-stitch-v0", "antmaze-medium-singletask-v0", ANT, Kind::Stitch, 5000, 201),
    ("antmaze-large-stitch-v0", "antmaze-large-singletask-v0", ANT, Kind::Stitch, 5000, 201),
    ("antmaze-giant-stitch-v0", "antmaze-giant-singletask-v0", ANT, Kind::Stitch, 5000, 201),
    ("antmaze-medium-explore-v0", "antmaze-medium-singletask-v0", ANT, Kind::Explore, 10_000, 501),
    ("antmaze-large-explore-v0", "antmaze-large-singletask-v0", ANT, Kind::Explore, 10_000, 501),
];

pub(crate) fn scripts() -> impl Iterator<Item = Script> {
    SETS.into_iter().map(|(id, environment, actor, _, episodes, _)| Script {
        id,
        environment,
        episodes,
        actor,
        layout: Layout::Ogbench,
    })
}

pub(crate) struct Steered {
    env: MujocoEnv,
    maze: Maze,
    kind: Kind,
    rows: usize,
    /// Who walks in the direction; a point does so by itself.
    walker: Option<Policy>,
}

impl Steered {
    pub(crate) fn new(script: &Script, walker: Option<Policy>) -> Result<Self> {
        let set = SETS.into_iter().find(|(id, ..)| *id == script.id);
        let (_, environment, _, kind, _, rows) = set.context("no maze set of OGBench's")?;
        let maze = envs::maze(environment).context("an environment without a maze")?;
        Ok(Self { env: MujocoEnv::new(environment)?, maze, kind, rows, walker })
    }

    fn near(&self, cell: Cell, stream: &mut Stream) -> [f64; 2] {
        self.maze.centre(cell).map(|centre| centre + stream.uniform_in(-JITTER, JITTER))
    }

    fn xy(&self) -> [f64; 2] {
        [self.env.qpos()[0], self.env.qpos()[1]]
    }

    /// Where one may want to go: every cell but those in the middle of a corridor.
    fn vertices(&self) -> Vec<Cell> {
        let is_free = |row, column| self.maze.is_free(Cell { row, column });
        let is_corridor = |Cell { row, column }: Cell| {
            let along = [is_free(row - 1, column), is_free(row + 1, column)];
            let across = [is_free(row, column - 1), is_free(row, column + 1)];
            let runs = |this: [bool; 2], other: [bool; 2]| this == [true; 2] && other == [false; 2];
            runs(along, across) || runs(across, along)
        };
        self.maze.free_cells().into_iter().filter(|&cell| !is_corridor(cell)).collect()
    }

    fn goal(&self, start: Cell, stream: &mut Stream) -> Cell {
        match self.kind {
            Kind::Navigate | Kind::Explore => {
                let cells = self.vertices();
                cells[stream.index(cells.len())]
            }
            Kind::Stitch => {
                let away = |&cell: &Cell| self.maze.distance(start, cell) == Some(WAY);
                let cells: Vec<Cell> = self.maze.free_cells().into_iter().filter(away).collect();
                if cells.is_empty() { start } else { cells[stream.index(cells.len())] }
            }
        }
    }

    /// The direction of the next cell on the way.
    fn onward(&self, goal: [f64; 2]) -> [f64; 2] {
        let at = self.xy();
        let next = self.maze.centre(self.maze.next_cell(self.maze.cell(at), self.maze.cell(goal)));
        unit([next[0] - at[0], next[1] - at[1]])
    }

    /// What goes in `direction`, and noise on it.
    fn action(&self, direction: [f64; 2], stream: &mut Stream) -> Vec<f32> {
        match &self.walker {
            None => direction.map(|x| (x + 0.5 * stream.normal()).clamp(-1.0, 1.0) as f32).to_vec(),
            Some(walker) => {
                let noise = if self.kind == Kind::Explore { 1.0 } else { 0.2 };
                walker.walk(&self.env, direction, noise, stream)
            }
        }
    }
}

impl Play for Steered {
    fn episode(&mut self, stream: &mut Stream) -> Result<Recorder> {
        let radius = if self.walker.is_some() { 0.5 } else { 1.0 };
        let cells = self.maze.free_cells();
        let start = cells[stream.index(cells.len())];
        let mut goal = self.near(self.goal(start, stream), stream);
        self.env.reset(stream);
        let (mut qpos, qvel) = (self.env.qpos().to_vec(), self.env.qvel().to_vec());
        qpos[..2].copy_from_slice(&self.near(start, stream));
        self.env.start_from(&qpos, &qvel);
        let extras = [("qpos", qpos.len()), ("qvel", qvel.len())];
        let extras = extras.map(|(name, width)| Extra::new(name, width, Dtype::F32)).to_vec();
        let spec = self.env.spec();
        let mut recorder = Recorder::new((spec.observation_dim, spec.action_dim), extras);
        let mut direction = [0.0; 2];
        for row in 0..self.rows {
            if self.kind != Kind::Explore {
                direction = self.onward(goal);
            } else if row % LEG == 0 {
                direction = unit([stream.normal(), stream.normal()]);
            }
            let action = self.action(direction, stream);
            let s = as_f32(self.env.observation());
            let (qpos, qvel) = (self.env.qpos().to_vec(), self.env.qvel().to_vec());
            self.env.step(Action::F32(&action));
            let [x, y] = self.xy();
            if self.kind == Kind::Navigate && libm::hypot(x - goal[0], y - goal[1]) <= radius {
                goal = self.near(self.goal(start, stream), stream);
            }
            recorder.push(&Step {
                observation: &s,
                action: &action,
                reward: 0.0,
                terminal: row + 1 == self.rows,
                timeout: false,
                next_observation: &as_f32(self.env.observation()),
                extras: &[&qpos, &qvel],
            });
        }
        Ok(recorder)
    }
}
