//! Adroit (`d4rl/hand_manipulation_suite`): a hand with 24 joints turns a pen, opens a door, hammers a nail, and moves a
//! ball; the dense rewards of `*_v0.py`, which are those of the data sets' version 1.
//!
//! An action on ±1 is clipped and scaled to the range of the joints' servos. A reset draws where things are, which is
//! written into the model: these numbers are the goal.

mod door;
mod hammer;
mod pen;
mod relocate;

use super::{PACKAGE, reference_returns};
use crate::mjcf::Element;
use crate::simulated::Rules;
use crate::tasks::{Make, Task, check_sizes, leak};
use crate::{Action, Spec};
use anyhow::{Context, Result};
use mujoco::install::{self, Setup};
use mujoco::{Data, Model};
use std::path::Path;
use std::sync::Arc;

const FRAME_SKIP: u32 = 5;
const FOLDER: &str = "hand_manipulation_suite/assets";

/// A row of the table.
struct Row {
    family: &'static str,
    model: &'static str,
    observation_dim: usize,
    goal_dim: usize,
    /// nq, nv and nu.
    sizes: (usize, usize, usize),
    /// Of the usual data sets, and of `human-longhorizon`.
    max_episode_steps: (u32, u32),
    ends: &'static str,
    rules: fn(Hand, &Data) -> Result<Box<dyn Rules>>,
}

static ROWS: [Row; 4] = [
    Row {
        family: "door",
        model: "hand_manipulation_suite/assets/DAPG_door.xml",
        observation_dim: 39,
        goal_dim: 3,
        sizes: (30, 30, 28),
        max_episode_steps: (200, 300),
        ends: "never",
        rules: |hand, data| Ok(Box::new(door::Door::new(hand, data)?)),
    },
    Row {
        family: "hammer",
        model: "hand_manipulation_suite/assets/DAPG_hammer.xml",
        observation_dim: 46,
        goal_dim: 3,
        sizes: (33, 33, 26),
        max_episode_steps: (200, 600),
        ends: "never",
        rules: |hand, data| Ok(Box::new(hammer::Hammer::new(hand, data)?)),
    },
    Row {
        family: "pen",
        model: "hand_manipulation_suite/assets/DAPG_pen.xml",
        observation_dim: 45,
        goal_dim: 4,
        sizes: (30, 30, 24),
        max_episode_steps: (100, 200),
        ends: "the pen below 0.075",
        rules: |hand, data| Ok(Box::new(pen::Pen::new(hand, data)?)),
    },
    Row {
        family: "relocate",
        model: "hand_manipulation_suite/assets/DAPG_relocate.xml",
        observation_dim: 39,
        goal_dim: 6,
        sizes: (36, 36, 30),
        max_episode_steps: (200, 500),
        ends: "never",
        rules: |hand, data| Ok(Box::new(relocate::Relocate::new(hand, data)?)),
    },
];

pub(super) fn tasks() -> impl Iterator<Item = Task> {
    ROWS.iter().flat_map(|row| {
        let (usual, long) = row.max_episode_steps;
        let datasets = [("human", usual), ("cloned", usual), ("expert", usual), ("human-longhorizon", long)];
        datasets.into_iter().map(|(dataset, max_episode_steps)| {
            let id = leak(format!("{}-{dataset}-v1", row.family));
            Task { spec: spec(row, id, max_episode_steps), make: make(row) }
        })
    })
}

fn spec(row: &Row, id: &'static str, max_episode_steps: u32) -> Spec {
    Spec {
        id,
        package: PACKAGE,
        observation_dim: row.observation_dim,
        action_dim: row.sizes.2,
        goal_dim: row.goal_dim,
        action_limit: 1.0,
        max_episode_steps,
        frame_skip: FRAME_SKIP,
        dt: 0.002 * 5.0,
        reference_returns: reference_returns(row.family),
        ends: row.ends,
        model: row.model,
    }
}

fn make(row: &'static Row) -> Make {
    Box::new(|_| {
        let folder = install::d4rl(&Setup::from_process())?;
        let mut xml = Element::read(&folder.join(row.model))?;
        include(&mut xml, &folder.join(FOLDER))?;
        drop_what_is_only_seen(&mut xml);
        let mut model = Model::from_xml(&xml.to_xml(), &folder)?;
        check_sizes(&model, row.sizes, &folder)?;
        set_servos(&mut model)?;
        let hand = Hand::new(&model);
        let mut data = Data::new(&model)?;
        data.forward();
        let rules = (row.rules)(hand, &data)?;
        Ok((model, rules))
    })
}

/// Puts the content of included files where they are included.
fn include(element: &mut Element, folder: &Path) -> Result<()> {
    for mut child in std::mem::take(&mut element.children) {
        include(&mut child, folder)?;
        match child.get("file") {
            Some(file) if child.tag == "include" => {
                let mut included = Element::read(&folder.join(file))?;
                include(&mut included, folder)?;
                element.children.append(&mut included.children);
            }
            _ => element.children.push(child),
        }
    }
    Ok(())
}

/// All collision shapes are primitives and all bodies with meshes have explicit inertias, so meshes, textures and materials
/// can go.
fn drop_what_is_only_seen(xml: &mut Element) {
    xml.walk(&mut |element| {
        element.children.retain(|child| child.tag != "asset" && child.get("mesh").is_none());
        element
            .attributes
            .retain(|(name, _)| !["material", "meshdir", "texturedir"].contains(&name.as_str()));
    });
}

/// What every task's constructor overwrites: the servos of the wrist, and those of the fingers.
fn set_servos(model: &mut Arc<Model>) -> Result<()> {
    for (first, last, stiffness) in [("A_WRJ1", "A_WRJ0", 10.0), ("A_FFJ3", "A_THJ0", 1.0)] {
        let id =
            |name| model.actuator_id(name).with_context(|| format!("Adroit's hand has no actuator `{name}`"));
        let range = id(first)?..=id(last)?;
        let model = Arc::get_mut(model).context("the model is shared")?;
        for actuator in range {
            model.actuator_gain_mut(actuator)[..3].copy_from_slice(&[stiffness, 0.0, 0.0]);
            model.actuator_bias_mut(actuator)[..3].copy_from_slice(&[0.0, -stiffness, 0.0]);
        }
    }
    Ok(())
}

/// The hand's servos: middle and half width of each one's range.
struct Hand {
    servos: Vec<[f64; 2]>,
}

impl Hand {
    fn new(model: &Model) -> Self {
        let ranges = model.actuator_ctrlrange().as_chunks::<2>().0;
        Self { servos: ranges.iter().map(|[low, high]| [(low + high) / 2.0, 0.5 * (high - low)]).collect() }
    }

    /// One step.
    fn step(&self, data: &mut Data, action: Action<'_>) {
        for (i, (ctrl, [middle, half])) in data.ctrl_mut().iter_mut().zip(&self.servos).enumerate() {
            let action = match action {
                Action::F32(action) => f64::from(action[i]),
                Action::F64(action) => action[i],
            };
            *ctrl = middle + action.clamp(-1.0, 1.0) * half;
        }
        data.step(FRAME_SKIP);
    }
}

fn body(data: &Data, name: &str) -> Result<usize> {
    data.model().body_id(name).with_context(|| format!("Adroit's model has no body `{name}`"))
}

fn site(data: &Data, name: &str) -> Result<usize> {
    data.model().site_id(name).with_context(|| format!("Adroit's model has no site `{name}`"))
}

/// The third of an array of positions.
fn at(positions: &[f64], index: usize) -> [f64; 3] {
    [positions[3 * index], positions[3 * index + 1], positions[3 * index + 2]]
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn norm(a: [f64; 3]) -> f64 {
    crate::numpy::dot(a, a).sqrt()
}
