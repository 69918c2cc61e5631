//! A frozen policy that acts on one thread.

use diagnostics::BadInput;
use envs::MujocoEnv;
use std::collections::BTreeMap;
use streams::Stream;

/// Arrays by name, each with its shape, as a run leaves its networks.
pub type Networks = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The mode of a policy that SAC left: a perceptron with ReLU between its layers, whose last layer gives the means, which
/// go through tanh, and then the logarithms of the deviations, which are of no use here.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    layers: Vec<Layer>,
    action_dim: usize,
}

#[derive(Clone, Debug)]
struct Layer {
    /// `[inputs, outputs]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Policy {
    /// The policy among the networks that a run left: its arrays `actor.0.weight`, `actor.0.bias`, and so on.
    ///
    /// # Errors
    /// [`BadInput`] if they do not make a perceptron from `observation_dim` numbers to twice `action_dim`.
    pub(crate) fn new(
        networks: &Networks,
        (observation_dim, action_dim): (usize, usize),
    ) -> Result<Self, BadInput> {
        let array = |layer: usize, what: &str| networks.get(&format!("actor.{layer}.{what}"));
        let (mut layers, mut inputs) = (Vec::new(), observation_dim);
        while let Some(((_, bias), (shape, weight))) =
            array(layers.len(), "bias").zip(array(layers.len(), "weight"))
        {
            let outputs = bias.len();
            if *shape != [outputs, inputs] || weight.len() != outputs * inputs {
                return Err(BadInput::new(format!(
                    "layer {} of the policy has weights of shape {shape:?}: expected [{outputs}, {inputs}]",
                    layers.len()
                )));
            }
            let by_input = (0..inputs).flat_map(|i| (0..outputs).map(move |o| weight[o * inputs + i]));
            layers.push(Layer { weight: by_input.collect(), bias: bias.clone() });
            inputs = outputs;
        }
        if layers.is_empty() {
            return Err(BadInput::new(
                "the networks hold no policy: expected arrays `actor.0.weight` and on",
            ));
        }
        if inputs != 2 * action_dim {
            let message =
                format!("the policy gives {inputs} numbers: expected means and deviations of {action_dim}");
            return Err(BadInput::new(message));
        }
        Ok(Self { layers, action_dim })
    }

    /// What an ant that walks does in `env` on its way in `direction`, of any length, and noise of deviation `noise` on it.
    pub(crate) fn walk(
        &self,
        env: &MujocoEnv,
        direction: [f64; 2],
        noise: f64,
        stream: &mut Stream,
    ) -> Vec<f32> {
        // It sees neither x nor y.
        let own = env.qpos()[2..].iter().chain(env.qvel()).copied();
        let observation: Vec<f32> = own.chain(unit(direction)).map(|x| x as f32).collect();
        let noisy = |a: f32| (a + (noise * stream.normal()) as f32).clamp(-1.0, 1.0);
        self.act(&observation).into_iter().map(noisy).collect()
    }

    /// The action in `observation`.
    fn act(&self, observation: &[f32]) -> Vec<f32> {
        let mut x = observation.to_vec();
        for (number, layer) in self.layers.iter().enumerate() {
            let mut y = layer.bias.clone();
            for (&x, row) in x.iter().zip(layer.weight.chunks_exact(y.len())) {
                y.iter_mut().zip(row).for_each(|(y, &w)| *y += x * w);
            }
            if number + 1 < self.layers.len() {
                y.iter_mut().for_each(|y| *y = y.max(0.0));
            }
            x = y;
        }
        x.truncate(self.action_dim);
        x.iter_mut().for_each(|x| *x = libm::tanhf(*x));
        x
    }
}

/// The same direction with length 1.
pub(crate) fn unit([x, y]: [f64; 2]) -> [f64; 2] {
    let length = libm::hypot(x, y) + 1e-6;
    [x / length, y / length]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks() -> Networks {
        let array = |shape: &[usize], values: &[f32]| (shape.to_vec(), values.to_vec());
        Networks::from([
            ("actor.0.weight".to_owned(), array(&[3, 2], &[1.0, 2.0, -1.0, 0.5, 0.0, 1.0])),
            ("actor.0.bias".to_owned(), array(&[3], &[0.0, -10.0, 0.25])),
            ("actor.1.weight".to_owned(), array(&[2, 3], &[0.5, 9.0, -1.0, 7.0, 7.0, 7.0])),
            ("actor.1.bias".to_owned(), array(&[2], &[0.125, 7.0])),
        ])
    }

    #[test]
    fn it_is_the_perceptron_of_its_arrays() {
        let policy = Policy::new(&networks(), (2, 1)).unwrap();
        // Hidden: 0.25 + 2 · 0.5 = 1.25; −0.25 + 0.25 − 10 < 0; 0.5 + 0.25 = 0.75.
        let expected = (0.5 * 1.25 - 0.75 + 0.125f32).tanh();
        let action = policy.act(&[0.25, 0.5]);
        assert!(action.len() == 1 && (action[0] - expected).abs() < 1e-7, "{action:?}");
    }

    #[test]
    fn other_sizes_are_an_error() {
        assert!(Policy::new(&networks(), (3, 1)).is_err());
        assert!(Policy::new(&networks(), (2, 2)).is_err());
        assert!(Policy::new(&Networks::new(), (2, 1)).is_err());
    }
}
