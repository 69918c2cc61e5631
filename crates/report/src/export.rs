//! Recorded evaluations for other programs: long CSV, Parquet and TensorBoard's event files. The same records give the
//! same bytes.

mod parquet;
mod tensorboard;

use crate::study::Study;
use anyhow::Result;

/// One evaluation of the learner's own policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The arm's id.
    pub algorithm: String,
    /// The environment's id.
    pub task: String,
    /// The run's seed.
    pub seed: u64,
    /// Environment steps before it.
    pub step: u64,
    /// The mean return over its episodes.
    pub score: f64,
}

/// Every evaluation of a study's recorded runs, by task, arm, seed and step. Experts are not among them: their runs end
/// early and stand beside the arms, not among them.
#[must_use]
pub fn evaluations(study: &Study) -> Vec<Evaluation> {
    let mut evaluations = Vec::new();
    for task in &study.tasks {
        for arm in &task.arms {
            for run in arm.runs() {
                evaluations.extend(run.evaluations.learned().map(|(step, score)| Evaluation {
                    algorithm: arm.arm.id.clone(),
                    task: task.task.id.clone(),
                    seed: run.config.seed,
                    step,
                    score,
                }));
            }
        }
    }
    evaluations
}

/// Long CSV, as `stats` reads it. Scores are written so that they read back to the same bits.
#[must_use]
pub fn csv(evaluations: &[Evaluation]) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut write = |row: [&str; 5]| out.write_record(row).expect("a vector takes all");
    write(["algorithm", "task", "seed", "step", "score"]);
    for Evaluation { algorithm, task, seed, step, score } in evaluations {
        write([algorithm, task, &seed.to_string(), &step.to_string(), &score.to_string()]);
    }
    out.into_inner().expect("a vector takes all")
}

/// A Parquet file of the same columns: two of strings, two of 64-bit integers, one of doubles.
///
/// # Errors
/// If a seed or step is beyond 2⁶³.
pub fn parquet(evaluations: &[Evaluation]) -> Result<Vec<u8>> {
    parquet::write(evaluations)
}

/// TensorBoard's event files, by path: one run a folder, `<task>/<arm>/seed<seed>/`, with the scalar `eval/return`.
///
/// An event's wall time is its step, in seconds, as no clock may touch the bytes: TensorBoard's axes `relative` and
/// `wall` show steps too. It keeps scores as 32-bit floats: the others keep all bits.
#[must_use]
pub fn tensorboard(evaluations: &[Evaluation]) -> Vec<(String, Vec<u8>)> {
    let same_run =
        |a: &Evaluation, b: &Evaluation| (&a.algorithm, &a.task, a.seed) == (&b.algorithm, &b.task, b.seed);
    let file = |run: &[Evaluation]| {
        let Evaluation { algorithm, task, seed, .. } = &run[0];
        let points = run.iter().map(|evaluation| (evaluation.step, evaluation.score));
        let path = format!("{task}/{algorithm}/seed{seed}/events.out.tfevents.0.reprise");
        (path, tensorboard::events("eval/return", points))
    };
    evaluations.chunk_by(same_run).map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::parse_curves;

    #[test]
    fn csv_reads_back_to_the_same_bits() {
        let evaluation = |seed, step, score| Evaluation {
            algorithm: "td3, \"new\"".to_owned(),
            task: "Ant-v5".to_owned(),
            seed,
            step,
            score,
        };
        let scores = [0.1 + 0.2, -1e-300, 12_345.678_901_234_567, f64::MAX];
        let evaluations = [
            evaluation(0, 0, scores[0]),
            evaluation(0, 5, scores[1]),
            evaluation(1, 0, scores[2]),
            evaluation(1, 5, scores[3]),
        ];
        let curves = parse_curves("e.csv", csv(&evaluations).as_slice()).unwrap();
        let [curve] = &curves[..] else { panic!("{curves:?}") };
        assert_eq!((curve.algorithm.as_str(), curve.task.as_str()), ("td3, \"new\"", "Ant-v5"));
        assert_eq!(curve.evaluations[&0], [scores[0], scores[2]]);
        assert_eq!(curve.evaluations[&5], [scores[1], scores[3]]);
        let files: Vec<String> = tensorboard(&evaluations).into_iter().map(|(path, _)| path).collect();
        assert_eq!(files[1], "Ant-v5/td3, \"new\"/seed1/events.out.tfevents.0.reprise");
    }
}
