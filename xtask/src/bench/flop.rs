//! Floating-point operations of updates, as few as will do: no gradient of an input that needs none, and none of the
//! critics' weights for the actor's loss.

use experiment::RunConfig;

/// Multiply-adds of one sample through all layers of a network, and through all but the first.
fn network(first: usize, hidden: &[usize], last: usize) -> (usize, usize) {
    let sizes = [&[first], hidden, &[last]].concat();
    let all: usize = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
    (all, all - sizes[0] * sizes[1])
}

/// One update of a run of `config`, averaged over all kinds of update.
pub(super) fn update(config: &RunConfig, (observations, actions): (usize, usize)) -> f64 {
    let hidden = config.hidden();
    let (critic, critic_inner) = network(observations + actions, hidden, 1);
    // Through a critic, to the action alone.
    let through = critic_inner + actions * hidden[0];
    if config.iql.is_some() {
        let (actor, actor_inner) = network(observations, hidden, actions);
        let (value, value_inner) = network(observations, hidden, 1);
        // V(s) and its gradient, V(s′), both targets' Q(s, a); both critics; the policy, whose weights need no more.
        let values = 2 * value + value_inner + value + 2 * critic;
        let each = values + 2 * (2 * critic + critic_inner) + 2 * actor + actor_inner;
        return 2.0 * (config.replay.batch_size * each) as f64;
    }
    let batch = config.replay.batch_size;
    if config.fql.is_some() || config.drol.is_some() {
        let (actor, actor_inner) = network(observations + actions, hidden, actions);
        // a′ and both targets' values; both critics; the actor's own action, both values and their way back to it.
        let critics = actor + 2 * critic + 2 * (2 * critic + critic_inner);
        let own = 2 * actor + actor_inner + 2 * (critic + through);
        let other = match (&config.fql, &config.drol) {
            // The flow's regression, and its steps.
            (Some(fql), _) => {
                let (flow, inner) = network(observations + actions + 1, hidden, actions);
                2 * flow + inner + fql.flow_steps * flow
            }
            // Candidates to route among; the winners go through the actor again.
            (_, drol) => drol.as_ref().map_or(0, |drol| drol.candidates) * actor,
        };
        return 2.0 * (batch * (critics + own + other)) as f64;
    }
    let (each, policy, delay) = if let Some(td3) = &config.td3 {
        let (actor, actor_inner) = network(observations, hidden, actions);
        (actor, 2 * actor + actor_inner + critic + through, td3.policy_delay)
    } else {
        let (actor, actor_inner) = network(observations, hidden, 2 * actions);
        let policy = 2 * actor + actor_inner;
        (actor, policy + 2 * (critic + through) + planning(config, (observations, actions), policy), 1)
    };
    // Next action; two target values; forward, weights' and inputs' gradients of two critics.
    let critics = each + 2 * critic + 2 * (2 * critic + critic_inner);
    2.0 * config.replay.batch_size as f64 * (critics as f64 + policy as f64 / delay as f64)
}

/// What the steps of a plan add to SAC's actor step: one more policy each, whose gradient goes to its state too, as that of
/// the values does; and the model, forward and back to its state and action, the first state excepted.
fn planning(config: &RunConfig, (observations, actions): (usize, usize), policy: usize) -> usize {
    let Some(mpdp) = &config.mpdp else { return 0 };
    let more = (mpdp.horizon - 1) as usize;
    if more == 0 {
        return 0;
    }
    let (model, inner) = network(observations + actions, &mpdp.model.hidden, 2 * (1 + observations));
    let back = observations * mpdp.model.hidden[0];
    let members = more * (model + inner + actions * mpdp.model.hidden[0]) + (more - 1) * back;
    more * (policy + observations * config.hidden()[0])
        + 2 * observations * config.hidden()[0]
        + mpdp.model.members * members
}

/// Forward, and the gradients of the weights, of `members` networks on one input.
pub(super) fn forward_and_backward(first: usize, hidden: &[usize], members: usize, batch: usize) -> f64 {
    let (all, inner) = network(first, hidden, 1);
    2.0 * (batch * members * (2 * all + inner)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twin_critics_are_counted_by_hand() {
        // 3 → 4 → 1: 12 + 4 multiply-adds forward and for the weights, 4 for the hidden units.
        assert_eq!(forward_and_backward(3, &[4], 2, 10), 2.0 * 10.0 * 2.0 * (16.0 + 16.0 + 4.0));
    }
}
