//! PointMaze, AntMaze, HumanoidMaze and AntSoccer (`ogbench/locomaze`): move from one cell to another, or a ball. The
//! reward is −1 until the goal is reached, which ends the episode.
//!
//! The goal's two numbers are its x and y, the centre of the task's cell.

use super::{PACKAGE, SuccessTiming, ids};
use crate::maze::{Cell, Maze, distance};
use crate::mjcf::Element;
use crate::simulated::{Noise, Outcome, Rules, add_noise, concatenate, write_controls};
use crate::tasks::{Make, Task, check_sizes, leak};
use crate::{Action, Spec, numpy};
use mujoco::install::{self, Setup};
use mujoco::{Data, Model};
use streams::Stream;

/// Who moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// A point that an action pushes on by up to 0.2.
    Point,
    /// D4RL's ant.
    Ant,
    /// The ant and a ball, which has to go to the goal.
    Soccer,
    /// dm_control's humanoid.
    Humanoid,
}

impl Body {
    /// How near the goal counts as there.
    const fn radius(self) -> f64 {
        match self {
            Self::Point => 1.0,
            Self::Ant | Self::Soccer | Self::Humanoid => 0.5,
        }
    }
}

/// Whether what has to go to the goal is there.
pub(super) fn is_there(body: Body, qpos: &[f64], goal: &[f64]) -> bool {
    let at = if body == Body::Soccer { &qpos[BALL] } else { qpos };
    distance(at, goal) <= body.radius()
}

/// The ball's x and y in `qpos`, behind the ant's coordinates.
const BALL: std::ops::Range<usize> = 15..17;

/// Start and goal of tasks 1 to 5, (row, column).
type Ways = [[(usize, usize); 2]; 5];

/// Name, maze and tasks.
const MAZES: [(&str, Maze, Ways); 3] = [
    (
        "medium",
        Maze::MEDIUM,
        [[(1, 1), (6, 6)], [(6, 1), (1, 6)], [(5, 3), (4, 2)], [(6, 5), (6, 1)], [(2, 6), (1, 1)]],
    ),
    (
        "large",
        Maze::LARGE,
        [[(1, 1), (7, 10)], [(5, 4), (7, 1)], [(7, 4), (1, 10)], [(3, 8), (5, 4)], [(1, 1), (5, 4)]],
    ),
    (
        "giant",
        Maze::GIANT,
        [[(1, 1), (10, 14)], [(1, 14), (10, 1)], [(8, 14), (1, 1)], [(8, 3), (5, 12)], [(5, 9), (3, 8)]],
    ),
];

/// Start of the ant, start of the ball and goal of tasks 1 to 5.
type Games = [[(usize, usize); 3]; 5];

/// Name, maze and tasks of AntSoccer.
const FIELDS: [(&str, Maze, Games); 2] = [
    (
        "arena",
        Maze::ARENA,
        [
            [(1, 6), (2, 3), (5, 2)],
            [(2, 2), (5, 5), (2, 2)],
            [(6, 1), (2, 3), (6, 6)],
            [(6, 6), (1, 1), (6, 1)],
            [(4, 6), (6, 2), (1, 6)],
        ],
    ),
    (
        "medium",
        Maze::MEDIUM,
        [
            [(1, 1), (3, 4), (6, 6)],
            [(6, 1), (6, 5), (1, 1)],
            [(5, 3), (4, 2), (6, 5)],
            [(6, 5), (1, 1), (5, 3)],
            [(1, 6), (6, 1), (1, 6)],
        ],
    ),
];

/// The centres that a task is about.
#[derive(Clone, Copy)]
struct Places {
    start: [f64; 2],
    /// Where the ball begins, if there is one.
    ball: Option<[f64; 2]>,
    goal: [f64; 2],
}

pub(super) fn tasks() -> impl Iterator<Item = Task> {
    moves().chain(games())
}

fn games() -> impl Iterator<Item = Task> {
    FIELDS.into_iter().flat_map(|(size, maze, games)| {
        ids(&format!("antsoccer-{size}"), 4).into_iter().map(move |(id, task, timing)| {
            let [start, ball, goal] = games[task - 1].map(|(row, column)| maze.centre(Cell { row, column }));
            let places = Places { start, ball: Some(ball), goal };
            Task { spec: spec(leak(id), Body::Soccer), make: make(Body::Soccer, maze, places, timing) }
        })
    })
}

fn moves() -> impl Iterator<Item = Task> {
    let bodies = [("pointmaze", Body::Point), ("antmaze", Body::Ant), ("humanoidmaze", Body::Humanoid)];
    bodies.into_iter().flat_map(|(name, body)| {
        MAZES.into_iter().flat_map(move |(size, maze, ways)| {
            ids(&format!("{name}-{size}"), 1).into_iter().map(move |(id, task, timing)| {
                let [start, goal] = ways[task - 1].map(|(row, column)| maze.centre(Cell { row, column }));
                let places = Places { start, ball: None, goal };
                Task { spec: spec(leak(id), body), make: make(body, maze, places, timing) }
            })
        })
    })
}

/// The maze of the task with this id, if it is one of these.
pub(crate) fn maze(id: &str) -> Option<Maze> {
    let (family, rest) = id.split_once('-')?;
    let (size, _) = rest.split_once("-singletask")?;
    match family {
        "pointmaze" | "antmaze" | "humanoidmaze" => {
            MAZES.iter().find(|(name, ..)| *name == size).map(|(_, maze, _)| *maze)
        }
        "antsoccer" => FIELDS.iter().find(|(name, ..)| *name == size).map(|(_, maze, _)| *maze),
        _ => None,
    }
}

fn spec(id: &'static str, body: Body) -> Spec {
    let (observation_dim, action_dim, model, ends) = match body {
        Body::Point => (2, 2, "locomaze/assets/point.xml", "within 1 of the goal"),
        Body::Ant => (29, 8, "locomaze/assets/ant.xml", "within 0.5 of the goal"),
        Body::Soccer => (42, 8, "locomaze/assets/ant.xml", "the ball within 0.5 of the goal"),
        Body::Humanoid => (69, 21, "locomaze/assets/humanoid.xml", "within 0.5 of the goal"),
    };
    let (max_episode_steps, timestep) = match (body, id.contains("-giant-")) {
        (Body::Humanoid, true) => (4000, 0.005),
        (Body::Humanoid, false) => (2000, 0.005),
        _ => (1000, 0.02),
    };
    Spec {
        id,
        package: PACKAGE,
        observation_dim,
        action_dim,
        goal_dim: 2,
        action_limit: 1.0,
        max_episode_steps,
        frame_skip: 5,
        dt: timestep * 5.0,
        reference_returns: None,
        ends,
        model,
    }
}

fn make(body: Body, maze: Maze, places: Places, timing: SuccessTiming) -> Make {
    Box::new(move |spec| {
        let folder = install::ogbench(&Setup::from_process())?;
        let mut xml = Element::read(&folder.join(spec.model))?;
        let (rows, columns) = maze.size();
        let (x, y) = (2.0 * (columns as f64 - 3.0), 2.0 * (rows as f64 - 3.0));
        let floor = xml.named("geom", "floor")?;
        floor.set("pos", &format!("{x} {y} 0"));
        floor.set("size", &format!("{} {} 0.2", 2 * columns, 2 * rows));
        maze.build(xml.child("worldbody")?);
        if body == Body::Soccer {
            xml.child("worldbody")?.children.push(ball());
        }
        let model = Model::from_xml(&xml.to_xml(), &folder)?;
        let sizes = match body {
            Body::Point => (2, 2, 2),
            Body::Ant => (15, 14, 8),
            Body::Soccer => (22, 20, 8),
            Body::Humanoid => (28, 27, 21),
        };
        check_sizes(&model, sizes, &folder)?;
        Ok((model, Box::new(MazeTask { body, places, timing, frame_skip: spec.frame_skip })))
    })
}

/// A ball, which rolls and slides.
fn ball() -> Element {
    let geom = Element::new("geom").with("name", "ball").with("size", ".25").with("material", "ball");
    let mut ball = Element::new("body").with("name", "ball").with("pos", "0 0 0.5");
    ball.children.push(Element::new("freejoint").with("name", "ball_root"));
    ball.children.push(geom.with("priority", "1").with("conaffinity", "1").with("condim", "6"));
    ball
}

struct MazeTask {
    body: Body,
    places: Places,
    timing: SuccessTiming,
    frame_skip: u32,
}

impl MazeTask {
    fn advance(&self, data: &mut Data, action: Action<'_>) {
        match self.body {
            Body::Ant | Body::Soccer => {
                write_controls(data, action);
                data.step(self.frame_skip);
            }
            Body::Point => {
                let qpos = data.qpos_mut().iter_mut();
                match action {
                    Action::F32(action) => qpos.zip(action).for_each(|(q, &a)| *q += f64::from(0.2 * a)),
                    Action::F64(action) => qpos.zip(action).for_each(|(q, &a)| *q += 0.2 * a),
                }
                data.qvel_mut().fill(0.0);
                data.step(self.frame_skip);
            }
            // As dm_control steps: what is seen belongs to the state at the end.
            Body::Humanoid => {
                write_controls(data, action);
                data.step2();
                data.step(self.frame_skip - 1);
                data.step1();
            }
        }
    }
}

/// A humanoid anywhere, with any pose that touches nothing: falling, as dm_control's begins.
fn fall(data: &mut Data, stream: &mut Stream) {
    let range = data.model().jnt_range()[2..].to_vec();
    loop {
        let quat: [f64; 4] = std::array::from_fn(|_| stream.uniform());
        let norm = quat.iter().map(|x| x * x).sum::<f64>().sqrt();
        data.qvel_mut().iter_mut().for_each(|v| *v = 0.1 * stream.normal());
        let qpos = data.qpos_mut();
        qpos[3..7].iter_mut().zip(quat).for_each(|(q, x)| *q = x / norm);
        for (q, range) in qpos[7..].iter_mut().zip(range.chunks_exact(2)) {
            *q = stream.uniform_in(range[0], range[1]);
        }
        data.forward();
        if data.ncon() == 0 {
            return;
        }
    }
}

/// Bodies of the humanoid whose places are seen.
const HEAD: usize = 2;
const TORSO: usize = 1;
/// Left hand, left foot, right hand, right foot.
const LIMBS: [usize; 4] = [16, 10, 13, 7];

/// What is seen of a humanoid: x and y, joints, the head's height, limbs as seen from the torso, which way is up, the centre
/// of mass's velocity, velocities.
fn see_humanoid(data: &Data, observation: &mut [f64]) {
    let place = |body: usize| &data.xpos()[3 * body..3 * (body + 1)];
    let frame = &data.xmat()[9 * TORSO..9 * (TORSO + 1)];
    let mut limbs = [0.0; 12];
    for (limb, seen) in LIMBS.into_iter().zip(limbs.chunks_exact_mut(3)) {
        let away: [f64; 3] = std::array::from_fn(|i| place(limb)[i] - place(TORSO)[i]);
        for (column, seen) in seen.iter_mut().enumerate() {
            *seen = numpy::dot(away, std::array::from_fn(|row| frame[3 * row + column]));
        }
    }
    let (qpos, head) = (data.qpos(), [place(HEAD)[2]]);
    let parts = [&qpos[..2], &qpos[7..], &head, &limbs, &frame[6..], &data.sensordata()[..3], data.qvel()];
    concatenate(observation, &parts);
}

impl Rules for MazeTask {
    fn begin(&mut self, data: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        let Places { start, ball, goal: centre } = self.places;
        goal.copy_from_slice(&centre);
        match self.body {
            Body::Humanoid => fall(data, stream),
            _ => add_noise(data, stream, (Noise::Uniform(0.1), Noise::Normal(0.1))),
        }
        let mut near = |centre: [f64; 2]| centre.map(|centre| centre + stream.uniform_in(-1.0, 1.0));
        data.qpos_mut()[..2].copy_from_slice(&near(start));
        if let Some(ball) = ball {
            data.qpos_mut()[BALL].copy_from_slice(&near(ball));
        }
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, goal: &[f64]) -> Outcome {
        let was_there = is_there(self.body, data.qpos(), goal);
        self.advance(data, action);
        let is_there = match self.timing {
            SuccessTiming::Pre => was_there,
            SuccessTiming::Post => is_there(self.body, data.qpos(), goal),
        };
        Outcome { reward: f64::from(is_there) - 1.0, terminated: is_there, success: Some(is_there) }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        match self.body {
            Body::Point => observation.copy_from_slice(data.qpos()),
            Body::Ant | Body::Soccer => concatenate(observation, &[data.qpos(), data.qvel()]),
            Body::Humanoid => see_humanoid(data, observation),
        }
    }

    fn resume(&mut self, data: &mut Data) {
        if self.body == Body::Humanoid {
            data.step1();
        }
    }
}
