//! Anybody's scores, read from a file: JSON, `{"algorithm": [[score of run 0 on each task], …], …}`, or long CSV with the
//! columns `algorithm,task,seed,step,score` (`step` may be absent, and so may `algorithm` where there is one only;
//! `return` serves for `score`).

mod csv;
mod json;
mod normalise;

pub use csv::{Curve, parse_csv, parse_curves};
pub use json::parse_json;
pub use normalise::{Normalisation, normalisations};

use diagnostics::BadInput;
use stats::{RunScore, Scores};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Scores by algorithm, over the same tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreFile {
    /// Names of the tasks; their numbers, from 0, where the file does not name them.
    pub tasks: Vec<String>,
    /// By algorithm's name.
    pub algorithms: BTreeMap<String, Scores>,
    /// By algorithm and then task: the seeds of its runs, in the order of the scores. Empty where the file names none.
    pub seeds: BTreeMap<String, Vec<Vec<String>>>,
}

impl ScoreFile {
    /// The differences of `algorithm` over `baseline`, run by run. `None` unless they ran the same seeds on every task.
    #[must_use]
    pub fn paired(&self, algorithm: &str, baseline: &str) -> Option<Scores> {
        let pair = self.seeds.get(algorithm)? == self.seeds.get(baseline)?;
        pair.then(|| self.algorithms[algorithm].minus(&self.algorithms[baseline]))?
    }
}

/// Reads the file `path`: JSON if its name ends in `.json`, else CSV.
///
/// # Errors
/// [`BadInput`] if it cannot be read, is damaged, names a run twice, holds a score that is no finite number, or lacks an
/// algorithm's runs on a task.
pub fn read(path: &Path) -> Result<ScoreFile, BadInput> {
    let shown = path.display().to_string();
    let mut file = open(path, "name a JSON or CSV file of scores")?;
    if is_json(path) {
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| unreadable(&shown, &error))?;
        parse_json(&shown, &text)
    } else {
        parse_csv(&shown, file)
    }
}

/// Reads the learning curves of a long CSV, by algorithm and task.
///
/// # Errors
/// As [`read`], if the file is JSON, and if an algorithm's runs on a task were not evaluated at the same steps.
pub fn read_curves(path: &Path) -> Result<Vec<Curve>, BadInput> {
    let shown = path.display().to_string();
    let file = open(path, "name a CSV file of scores")?;
    if is_json(path) {
        return Err(BadInput::new(format!("{shown} is JSON, which holds no learning curves"))
            .help("give CSV with the columns algorithm,task,seed,step,score"));
    }
    parse_curves(&shown, file)
}

fn open(path: &Path, remedy: &str) -> Result<BufReader<File>, BadInput> {
    let file = File::open(path)
        .map_err(|error| BadInput::new(format!("cannot open {}: {error}", path.display())).help(remedy))?;
    Ok(BufReader::new(file))
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

fn unreadable(shown: &str, error: &dyn std::fmt::Display) -> BadInput {
    BadInput::new(format!("cannot read {shown}: {error}")).help(
        "JSON is {\"algorithm\": [[score of run 0 on each task], …], …}; CSV has the columns \
         algorithm,task,seed,step,score",
    )
}

fn no_scores(shown: &str) -> BadInput {
    BadInput::new(format!("{shown} holds no scores")).help(
        "give each run of each algorithm a score on each task, in lines below algorithm,task,seed,step,score",
    )
}

/// That `score`, of this algorithm, task and seed, is a number that can be averaged.
fn finite(shown: &str, [algorithm, task, seed]: [&str; 3], score: f64) -> Result<RunScore, BadInput> {
    RunScore::new(score).ok_or_else(|| {
        BadInput::new(format!(
            "{shown}: the score of seed {seed} of `{algorithm}` on task `{task}` is {score}"
        ))
        .help("a run that diverged needs a number too: its last finite score, or the worst there is")
    })
}

/// A task's or a run's name. Where it is a number, 10 comes after 9.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name(usize, String);

impl Name {
    fn number(number: usize) -> Self {
        Self(number, number.to_string())
    }

    fn word(word: &str) -> Self {
        Self(0, word.to_owned())
    }
}

/// By algorithm and then task: each run's score, by seed.
type ByRun = BTreeMap<String, BTreeMap<Name, BTreeMap<Name, f64>>>;

/// The value at `key`, made if there is none. Allocates nothing where there is one.
fn slot<'a, T: Default>(map: &'a mut BTreeMap<String, T>, key: &str) -> &'a mut T {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), T::default());
    }
    map.get_mut(key).expect("it is there or was just put there")
}

fn gather(shown: &str, runs: ByRun) -> Result<ScoreFile, BadInput> {
    let mut tasks: Vec<Name> = runs.values().flat_map(BTreeMap::keys).cloned().collect();
    tasks.sort();
    tasks.dedup();
    if tasks.is_empty() {
        return Err(no_scores(shown));
    }
    let (mut algorithms, mut all_seeds) = (BTreeMap::new(), BTreeMap::new());
    for (algorithm, by_task) in runs {
        let (mut scores, mut seeds) = (Vec::new(), Vec::new());
        for task in &tasks {
            let runs = by_task.get(task).ok_or_else(|| without_task(shown, &algorithm, &task.1))?;
            let score = |(seed, score): (&Name, &f64)| finite(shown, [&algorithm, &task.1, &seed.1], *score);
            scores.push(runs.iter().map(score).collect::<Result<Vec<RunScore>, BadInput>>()?);
            seeds.push(runs.keys().map(|seed| seed.1.clone()).collect());
        }
        let scores = Scores::new(scores).ok_or_else(|| no_scores(shown))?;
        algorithms.insert(algorithm.clone(), scores);
        all_seeds.insert(algorithm, seeds);
    }
    let tasks = tasks.into_iter().map(|task| task.1).collect();
    Ok(ScoreFile { tasks, algorithms, seeds: all_seeds })
}

fn without_task(shown: &str, algorithm: &str, task: &str) -> BadInput {
    BadInput::new(format!("{shown}: `{algorithm}` has no runs on task `{task}`"))
        .help("leave the task out for all algorithms, or the algorithm")
}

/// An algorithm's scores on all tasks, evaluation by evaluation: what a sample-efficiency curve is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Environment steps at each evaluation.
    pub steps: Vec<u64>,
    /// The scores there.
    pub frames: Vec<Scores>,
}

/// Every algorithm's [`Progress`], from curves of the file `shown`.
///
/// # Errors
/// [`BadInput`] if an algorithm lacks a task of another, or was not evaluated at the same steps on every task.
pub fn progress(shown: &str, curves: &[Curve]) -> Result<BTreeMap<String, Progress>, BadInput> {
    let mut tasks: Vec<&str> = curves.iter().map(|curve| curve.task.as_str()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let mut found = BTreeMap::new();
    for of_algorithm in curves.chunk_by(|a, b| a.algorithm == b.algorithm) {
        let first = &of_algorithm[0];
        let has = |task: &str| of_algorithm.iter().any(|curve| curve.task == task);
        if let Some(task) = tasks.iter().find(|task| !has(task)) {
            return Err(without_task(shown, &first.algorithm, task));
        }
        let other = of_algorithm.iter().find(|curve| !curve.evaluations.keys().eq(first.evaluations.keys()));
        if let Some(other) = other {
            return Err(BadInput::new(format!(
                "{shown}: `{}` was not evaluated at the same steps on `{}` and on `{}`",
                first.algorithm, first.task, other.task
            ))
            .help("keep the steps that all tasks have in common"));
        }
        let frame = |step: &u64| {
            let task = |curve: &Curve| curve.evaluations[step].iter().map(|x| RunScore::new(*x)).collect();
            Scores::new(of_algorithm.iter().map(task).collect::<Option<_>>()?)
        };
        let steps: Vec<u64> = first.evaluations.keys().copied().collect();
        let frames = steps.iter().map(frame).collect::<Option<_>>().ok_or_else(|| no_scores(shown))?;
        found.insert(first.algorithm.clone(), Progress { steps, frames });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> Result<ScoreFile, String> {
        parse_csv("scores.csv", text.as_bytes()).map_err(|error| error.to_string())
    }

    fn json(text: &str) -> Result<ScoreFile, String> {
        parse_json("scores.json", text).map_err(|error| error.to_string())
    }

    fn curves(text: &str) -> Result<Vec<Curve>, String> {
        parse_curves("curves.csv", text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn both_formats_say_the_same() {
        let of_json = json(r#"{"a": [[1, 2], [3, 4], [5, 6]], "b": [[0, 1.5]]}"#).unwrap();
        let of_csv = csv("task,step,score,seed,algorithm\n\
             0,10,1,0,a\n0,10,3,1,a\n0,10,5,2,a\n1,5,9,0,a\n1,10,2,0,a\n1,10,4,1,a\n1,10,6,2,a\n\
             0,10,0,0,b\n1,10,1.5,0,b\n")
        .unwrap();
        assert_eq!((of_json.tasks, &of_json.algorithms), (of_csv.tasks, &of_csv.algorithms));
        assert_eq!(of_json.algorithms["a"].tasks(), [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |found: Result<ScoreFile, String>, expected: &str| {
            let error = found.unwrap_err();
            assert!(error.contains(expected), "expected `{expected}` in: {error}");
        };
        check(json(r#"{"a": [[1, 2], [3]]}"#), "run 1 of `a` has 1 scores, and run 0 has 2");
        check(json(r#"{"a": [[1, 2]], "b": [[1]]}"#), "`b` has no runs on task `1`");
        check(json("{\"a\": [[NaN]]}"), "cannot read scores.json");
        check(json("{}"), "holds no scores");
        check(json(r#"{"a": []}"#), "holds no scores");
        check(json(r#"{"a": [[1]], "b": [[1]], "a": [[2]]}"#), "`a` stands there twice");
        check(csv(""), "holds no scores");
        check(csv("seed,score\n"), "no column `task`");
        check(csv("task,seed,score,score\n"), "two columns `score`");
        check(csv("task,seed,score\nt,,1\n"), "scores.csv:2: no seed");
        check(csv("task,seed,step,score\nt,0,1.5,1\n"), "step `1.5` is no whole number");
        check(csv(&format!("task,seed,score\nt,0,\"{}", "1\n".repeat(1 << 20))), "is a quote not closed?");
        check(csv("task,seed,score\n"), "holds no scores");
        check(csv("task,seed,score\nt,0,x\n"), "scores.csv:2: score `x` is no number");
        check(csv("task,seed,score\nt,0,nan\n"), "the score of seed 0 of `all` on task `t` is NaN");
        check(
            csv("task,seed,score\nt,0,1\nt,0,2\n"),
            "scores.csv:3: seed 0 of `all` on `t` has step 0 twice",
        );
        check(csv("task,seed,step,score\nt,0,5,1\nt,1,6,2\n"), "seed 0 of `all` ends at step 5, and seed 1");
        check(csv("task,seed,score\nt,0\n"), "cannot read scores.csv");
    }

    #[test]
    fn what_other_programs_write_is_read() {
        let plain = csv("task,seed,step,score\nt,0,5000,1\nt,1,5000,2\n").unwrap();
        assert_eq!(csv("\u{feff}task,seed,step,score\r\nt,0,5000.0,1\r\nt,1,5e3,2.0\r\n").unwrap(), plain);
        assert_eq!(csv("\"task\", seed ,step,return\n\"t\", 0,5000,+1e0\n t ,1,5000,2\n").unwrap(), plain);
        assert_eq!(json("\u{feff}{\"a\": [[1]]}").unwrap(), json("{\"a\": [[1.0]]}\n").unwrap());
    }

    #[test]
    fn runs_pair_by_their_seeds() {
        let text = "algorithm,task,seed,score\na,t,0,1\na,t,1,5\nb,t,1,2\nb,t,0,3\nc,t,0,1\nc,t,2,2\n";
        let file = csv(text).unwrap();
        assert_eq!(file.paired("a", "b").unwrap().tasks(), [[-2.0, 3.0]]);
        assert_eq!(file.paired("a", "c"), None);
        assert_eq!(json(r#"{"a": [[1]], "b": [[2]]}"#).unwrap().paired("a", "b"), None);
    }

    #[test]
    fn progress_needs_the_same_steps_and_tasks() {
        let text = "task,seed,step,score\nt,0,0,9\nt,0,5,6\nu,0,0,1\n";
        let both = curves(&format!("{text}u,0,5,2\n")).unwrap();
        let progress_of_all = progress("curves.csv", &both).unwrap();
        let found = &progress_of_all["all"];
        assert_eq!(found.steps, [0, 5]);
        assert_eq!(found.frames[1].tasks(), [[6.0], [2.0]]);
        let error = progress("curves.csv", &curves(text).unwrap()).unwrap_err().to_string();
        assert!(error.contains("`all` was not evaluated at the same steps on `t` and on `u`"), "{error}");
        let text = "algorithm,task,seed,step,score\na,t,0,0,9\na,u,0,0,9\nb,t,0,0,1\n";
        let error = progress("curves.csv", &curves(text).unwrap()).unwrap_err().to_string();
        assert!(error.contains("`b` has no runs on task `u`"), "{error}");
        assert!(curves("task,seed,step,score\nt,0,0,nan\n").unwrap_err().contains("is NaN"));
        assert!(curves("task,seed,step,score\n").unwrap_err().contains("holds no scores"));
    }

    #[test]
    fn the_best_evaluation_is_that_of_the_highest_mean() {
        let text = "task,seed,step,score\nt,0,0,9\nt,1,0,0\nt,0,5,6\nt,1,5,4\nt,0,10,3\nt,1,10,3\n";
        let curves = parse_curves("c.csv", text.as_bytes()).unwrap();
        assert_eq!(curves[0].best(), Some((5, 5.0, 1.0)));
        let missing =
            parse_curves("c.csv", "task,seed,step,score\nt,0,0,9\nt,1,5,0\n".as_bytes()).unwrap_err();
        assert!(missing.to_string().contains("seed 1 of `all` was not evaluated at the steps"), "{missing}");
    }
}
