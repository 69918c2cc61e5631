//! `hopper-medium-v2` and its sisters: gym's version 2 of HalfCheetah, Hopper and Walker2d, of which Gymnasium's version
//! 4 is the same on today's MuJoCo, with D4RL's clipping of actions.

use super::{PACKAGE, reference_returns};
use crate::Spec;
use crate::gymnasium::{self, Clipping, ROWS};
use crate::tasks::{Task, leak};

const DATASETS: [&str; 6] = ["random", "medium", "expert", "medium-replay", "full-replay", "medium-expert"];

pub(super) fn tasks() -> impl Iterator<Item = Task> {
    let families = [("halfcheetah", "HalfCheetah-v4"), ("hopper", "Hopper-v4"), ("walker2d", "Walker2d-v4")];
    families.into_iter().flat_map(|(family, base)| {
        let row = ROWS.iter().find(|row| row.spec.id == base);
        row.into_iter().flat_map(move |row| {
            DATASETS.into_iter().map(move |dataset| {
                let spec = Spec {
                    id: leak(format!("{family}-{dataset}-v2")),
                    package: PACKAGE,
                    reference_returns: reference_returns(family),
                    ..row.spec.clone()
                };
                Task { spec, make: Box::new(move |spec| gymnasium::make(row, spec, Clipping::D4rl)) }
            })
        })
    })
}
