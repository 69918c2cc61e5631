//! The plan of MPDP: Li et al. 2023, "Theoretically Guaranteed Policy Improvement Distilled from Model-Based Planning"
//! (arXiv 2307.12933), Algorithm 1.
//!
//! A plan is a rollout of per-step policies π_0, …, π_{H−1} whose objective is differentiated through the model. It
//! knows nothing of networks: what it runs in is a [`World`], which is learned in training and exact in tests.

use anyhow::Result;
use candle_core::Tensor;

/// What trajectories run in. `rows` names the trajectories that are still live, one for each row of the tensors.
pub trait World {
    /// a ~ π_t(·|s) and ln π_t(a|s), `[live, action]` and `[live]`.
    ///
    /// # Errors
    /// If the arithmetic fails.
    fn act(&mut self, t: usize, s: &Tensor, rows: &[u32]) -> Result<(Tensor, Tensor)>;

    /// What comes of `a` in `s`.
    ///
    /// # Errors
    /// If the arithmetic fails.
    fn imagine(&mut self, t: usize, s: &Tensor, a: &Tensor, rows: &[u32]) -> Result<Imagined>;

    /// Q(s, a) of the policy before the update, `[live]`.
    ///
    /// # Errors
    /// If the arithmetic fails.
    fn q(&mut self, s: &Tensor, a: &Tensor) -> Result<Tensor>;

    /// V(s) of the policy before the update in the state after step `t`, `[live]`.
    ///
    /// # Errors
    /// If the arithmetic fails.
    fn v(&mut self, t: usize, s: &Tensor, rows: &[u32]) -> Result<Tensor>;
}

/// One imagined step.
#[derive(Clone, Debug)]
pub struct Imagined {
    /// r, `[live]`.
    pub reward: Tensor,
    /// s′, `[live, observation]`.
    pub next: Tensor,
    /// u(s, a), `[live]`.
    pub error: Tensor,
    /// What becomes of each trajectory.
    pub fate: Vec<Fate>,
}

/// What becomes of a trajectory after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    GoesOn,
    /// The model is not to be trusted from here on.
    Uncertain,
    /// The task ends in s′.
    Ends,
    /// The prediction is no number. The row's tensors hold zeros.
    Broken,
}

/// What the last step t of a trajectory adds to J: one that is uncertain, ends the task, or is number H − 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// γᵗ (Q(s, a) − α ln π_t(a|s)): in expectation r + γ V(s′), and nothing of the model where it is not trusted.
    Q,
    /// γᵗ (r − α ln π_t(a|s) − β u) + γᵗ⁺¹ V(s′), the latter without a share where the task ends.
    V,
    /// As Algorithm 1 is printed: γᵗ⁺¹ V(s′) and no reward where it is uncertain or ends, nothing more at H. It
    /// improves no policy for certain.
    Printed,
}

/// How a plan is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanConfig {
    /// H, the longest trajectory, at least 1.
    pub horizon: usize,
    /// β, what a unit of model error costs.
    pub penalty: f64,
    /// What a last step adds.
    pub stop: Stop,
}

/// A plan that was made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// J of each start state, `[batch]`.
    pub objective: Tensor,
    /// How many steps the longest trajectory took.
    pub reached: usize,
    /// Steps of a trajectory, on average.
    pub mean_horizon: f64,
}

/// Runs the policies from the states `s [batch, observation]` and sums up each trajectory's
/// `J = Σ_t γᵗ (r_t − α ln π_t(a_t|s_t) − β u_t)`, with the value of the old policy after its last step.
///
/// # Errors
/// If the arithmetic of `world` fails.
pub fn plan(
    world: &mut impl World,
    s: &Tensor,
    config: &PlanConfig,
    discount: f64,
    temperature: f64,
) -> Result<Plan> {
    let size = s.dim(0)?;
    let mut plan =
        Plan { objective: Tensor::zeros(size, s.dtype(), s.device())?, reached: 0, mean_horizon: 0.0 };
    let mut rows: Vec<u32> = (0..size as u32).collect();
    let mut s = s.clone();
    let mut share = 1.0;
    for t in 0..config.horizon {
        plan.reached += 1;
        plan.mean_horizon += rows.len() as f64 / size as f64;
        let (a, density) = world.act(t, &s, &rows)?;
        let entropy = density.affine(-temperature, 0.0)?;
        let is_last = t + 1 == config.horizon;
        if is_last && config.stop == Stop::Q {
            plan.add(&rows, share, &(world.q(&s, &a)? + entropy)?)?;
            break;
        }
        let Imagined { reward, next, error, fate } = world.imagine(t, &s, &a, &rows)?;
        let soft_reward = ((reward + &entropy)? - error.affine(config.penalty, 0.0)?)?;

        let places = |which: &dyn Fn(Fate) -> bool| -> Vec<u32> {
            (0..rows.len() as u32).filter(|i| which(fate[*i as usize])).collect()
        };
        // A step that goes on pays its reward, and so does every other where the rule says so.
        let paid = places(&|fate| match config.stop {
            Stop::Q | Stop::Printed => fate == Fate::GoesOn,
            Stop::V => fate != Fate::Broken,
        });
        plan.add(&of(&rows, &paid), share, &select(&soft_reward, &paid)?)?;
        let by_q = places(&|fate| match config.stop {
            Stop::Q => fate != Fate::GoesOn,
            Stop::V | Stop::Printed => fate == Fate::Broken,
        });
        if !by_q.is_empty() {
            let q = world.q(&select(&s, &by_q)?, &select(&a, &by_q)?)?;
            plan.add(&of(&rows, &by_q), share, &(q + select(&entropy, &by_q)?)?)?;
        }
        share *= discount;
        let by_v = places(&|fate| match config.stop {
            Stop::Q => false,
            Stop::V => fate == Fate::Uncertain || fate == Fate::GoesOn && is_last,
            Stop::Printed => fate == Fate::Uncertain || fate == Fate::Ends,
        });
        if !by_v.is_empty() {
            let live = of(&rows, &by_v);
            let v = world.v(t, &select(&next, &by_v)?, &live)?;
            plan.add(&live, share, &v)?;
        }

        let on = places(&|fate| fate == Fate::GoesOn);
        rows = of(&rows, &on);
        if rows.is_empty() {
            break;
        }
        s = select(&next, &on)?;
    }
    Ok(plan)
}

impl Plan {
    /// Adds `share · terms` to the objectives of `rows`.
    fn add(&mut self, rows: &[u32], share: f64, terms: &Tensor) -> Result<()> {
        if !rows.is_empty() {
            let index = Tensor::from_slice(rows, rows.len(), terms.device())?;
            self.objective = self.objective.index_add(&index, &terms.affine(share, 0.0)?, 0)?;
        }
        Ok(())
    }
}

fn of(rows: &[u32], places: &[u32]) -> Vec<u32> {
    places.iter().map(|place| rows[*place as usize]).collect()
}

/// The rows of `x` at `places`, which are in order.
fn select(x: &Tensor, places: &[u32]) -> Result<Tensor> {
    if places.len() == x.dim(0)? {
        return Ok(x.clone());
    }
    let index = Tensor::from_slice(places, places.len(), x.device())?;
    Ok(x.contiguous()?.index_select(&index, 0)?)
}
