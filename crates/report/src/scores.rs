//! Anybody's scores, read from a file: JSON, `{"algorithm": [[score of run 0 on each task], …], …}`, or long CSV with the
//! columns `algorithm,task,seed,step,score` (`step` may be absent, and so may `algorithm` where there is one only;
//! `return` serves for `score`).

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
}

/// Reads the file `path`: JSON if its name ends in `.json`, else CSV.
///
/// # Errors
/// [`BadInput`] if it cannot be read, is damaged, names a run twice, holds a score that is no finite number, or lacks an
/// algorithm's runs on a task.
pub fn read(path: &Path) -> Result<ScoreFile, BadInput> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| {
        BadInput::new(format!("cannot open {shown}: {error}")).help("name a JSON or CSV file of scores")
    })?;
    if path.extension().is_some_and(|extension| extension == "json") {
        let mut text = String::new();
        BufReader::new(file).read_to_string(&mut text).map_err(|error| unreadable(&shown, &error))?;
        parse_json(&shown, &text)
    } else {
        parse_csv(&shown, BufReader::new(file))
    }
}

fn unreadable(shown: &str, error: &dyn std::fmt::Display) -> BadInput {
    BadInput::new(format!("cannot read {shown}: {error}")).help(
        "JSON is {\"algorithm\": [[score of run 0 on each task], …], …}; CSV has the columns \
         algorithm,task,seed,step,score",
    )
}

/// A task's or a run's name, with its number before it where it has one, so that 10 comes after 9.
type Name = (usize, String);

/// By algorithm and then task: each run's score, by seed.
type Runs = BTreeMap<String, BTreeMap<Name, BTreeMap<Name, f64>>>;

fn parse_json(shown: &str, text: &str) -> Result<ScoreFile, BadInput> {
    let matrices: BTreeMap<String, Vec<Vec<f64>>> =
        serde_json::from_str(text).map_err(|error| unreadable(shown, &error))?;
    let mut runs = Runs::new();
    for (algorithm, rows) in &matrices {
        let tasks = rows.first().map_or(0, Vec::len);
        for (run, row) in rows.iter().enumerate() {
            if row.len() != tasks {
                return Err(BadInput::new(format!(
                    "{shown}: run {run} of `{algorithm}` has {} scores, and run 0 has {tasks}",
                    row.len()
                ))
                .help("give every run one score a task; where runs are missing, use CSV"));
            }
            for (task, score) in row.iter().enumerate() {
                let by_task = runs.entry(algorithm.clone()).or_default();
                by_task.entry((task, task.to_string())).or_default().insert((run, run.to_string()), *score);
            }
        }
        runs.entry(algorithm.clone()).or_default();
    }
    gather(shown, runs)
}

/// A CSV's columns.
struct Columns {
    algorithm: Option<usize>,
    task: usize,
    seed: usize,
    step: Option<usize>,
    score: usize,
}

impl Columns {
    fn find(shown: &str, header: &csv::StringRecord) -> Result<Self, BadInput> {
        let find = |name: &str| header.iter().position(|column| column.trim() == name);
        let needed = |names: &[&str]| {
            names.iter().find_map(|name| find(name)).ok_or_else(|| {
                let found = header.iter().collect::<Vec<_>>().join(",");
                BadInput::new(format!("{shown}:1: no column `{}` in `{found}`", names[0]))
                    .help("the columns are algorithm,task,seed,step,score")
            })
        };
        Ok(Self {
            algorithm: find("algorithm"),
            task: needed(&["task"])?,
            seed: needed(&["seed"])?,
            step: find("step"),
            score: needed(&["score", "return"])?,
        })
    }
}

/// One line of a long CSV.
struct Line<'a> {
    number: u64,
    /// Algorithm, task, seed.
    run: [&'a str; 3],
    step: u64,
    score: f64,
}

impl Line<'_> {
    /// That a run has this line's step twice.
    fn twice(&self, shown: &str) -> BadInput {
        let [algorithm, task, seed] = self.run;
        BadInput::new(format!(
            "{shown}:{}: seed {seed} of `{algorithm}` on `{task}` has step {} twice",
            self.number, self.step
        ))
        .help("two runs of one seed are the same run: give each a seed of its own")
    }
}

/// Calls `take` on each line. A file of any length takes room for what `take` keeps only.
fn each_line(
    shown: &str,
    input: impl Read,
    mut take: impl FnMut(Line<'_>) -> Result<(), BadInput>,
) -> Result<(), BadInput> {
    let mut reader = csv::Reader::from_reader(input);
    let header = reader.headers().map_err(|error| unreadable(shown, &error))?;
    let columns = Columns::find(shown, header)?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| unreadable(shown, &error))? {
        let number = record.position().map_or(0, csv::Position::line);
        let field = |column: usize| record.get(column).unwrap_or_default().trim();
        let bad = |what: &str, column| {
            BadInput::new(format!("{shown}:{number}: {what} `{}` is no number", field(column)))
        };
        let step =
            columns.step.map_or(Ok(0), |column| field(column).parse().map_err(|_| bad("step", column)))?;
        let score = field(columns.score).parse().map_err(|_| bad("score", columns.score))?;
        let run = [columns.algorithm.map_or("all", field), field(columns.task), field(columns.seed)];
        take(Line { number, run, step, score })?;
    }
    Ok(())
}

fn parse_csv(shown: &str, input: impl Read) -> Result<ScoreFile, BadInput> {
    // The last step of each run so far.
    let mut last: BTreeMap<[String; 3], (u64, f64)> = BTreeMap::new();
    each_line(shown, input, |line| {
        let run = line.run.map(str::to_owned);
        match last.get(&run) {
            Some((known, _)) if *known == line.step => return Err(line.twice(shown)),
            Some((known, _)) if *known > line.step => {}
            _ => drop(last.insert(run, (line.step, line.score))),
        }
        Ok(())
    })?;
    let mut ends: BTreeMap<(String, String), (u64, String)> = BTreeMap::new();
    let mut runs = Runs::new();
    for ([algorithm, task, seed], (step, score)) in last {
        let end = ends.entry((algorithm.clone(), task.clone())).or_insert((step, seed.clone()));
        if end.0 != step {
            return Err(BadInput::new(format!(
                "{shown}: on `{task}`, seed {} of `{algorithm}` ends at step {}, and seed {seed} at step {step}",
                end.1, end.0
            ))
            .help("cut all runs at the last step that they have in common"));
        }
        runs.entry(algorithm).or_default().entry((0, task)).or_default().insert((0, seed), score);
    }
    gather(shown, runs)
}

/// An algorithm's evaluations on one task: at every step, each run's score.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The algorithm.
    pub algorithm: String,
    /// The task.
    pub task: String,
    /// By step, one score a run.
    pub evaluations: BTreeMap<u64, Vec<f64>>,
}

impl Curve {
    /// The evaluation at which the mean over runs is highest: its step, that mean, and the population's standard
    /// deviation over runs there. It is what the TD3 paper's table 1 shows.
    #[must_use]
    pub fn best(&self) -> Option<(u64, f64, f64)> {
        let of = |(step, scores): (&u64, &Vec<f64>)| {
            Some((*step, stats::mean(scores)?, stats::population_std(scores)?))
        };
        self.evaluations.iter().filter_map(of).max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Reads the learning curves of a long CSV, by algorithm and task.
///
/// # Errors
/// As [`read`], and if an algorithm's runs on a task were not evaluated at the same steps.
pub fn read_curves(path: &Path) -> Result<Vec<Curve>, BadInput> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| {
        BadInput::new(format!("cannot open {shown}: {error}")).help("name a CSV file of scores")
    })?;
    parse_curves(&shown, BufReader::new(file))
}

fn parse_curves(shown: &str, input: impl Read) -> Result<Vec<Curve>, BadInput> {
    let mut runs: BTreeMap<[String; 3], BTreeMap<u64, f64>> = BTreeMap::new();
    each_line(shown, input, |line| {
        let known = runs.entry(line.run.map(str::to_owned)).or_default().insert(line.step, line.score);
        if known.is_some() { Err(line.twice(shown)) } else { Ok(()) }
    })?;
    let mut curves: Vec<Curve> = Vec::new();
    for ([algorithm, task, seed], scores) in runs {
        match curves.last_mut().filter(|curve| curve.algorithm == algorithm && curve.task == task) {
            None => {
                let evaluations = scores.into_iter().map(|(step, score)| (step, vec![score])).collect();
                curves.push(Curve { algorithm, task, evaluations });
            }
            Some(curve) if curve.evaluations.keys().eq(scores.keys()) => {
                curve.evaluations.values_mut().zip(scores).for_each(|(all, (_, score))| all.push(score));
            }
            Some(_) => {
                return Err(BadInput::new(format!(
                    "{shown}: on `{task}`, seed {seed} of `{algorithm}` was not evaluated at the steps of the others"
                ))
                .help("keep the steps that all runs have in common"));
            }
        }
    }
    Ok(curves)
}

fn gather(shown: &str, runs: Runs) -> Result<ScoreFile, BadInput> {
    let mut tasks: Vec<Name> = runs.values().flat_map(BTreeMap::keys).cloned().collect();
    tasks.sort();
    tasks.dedup();
    if tasks.is_empty() {
        return Err(BadInput::new(format!("{shown} holds no scores")));
    }
    let mut algorithms = BTreeMap::new();
    for (algorithm, by_task) in runs {
        let mut scores = Vec::new();
        for task in &tasks {
            let Some(runs) = by_task.get(task) else {
                return Err(BadInput::new(format!(
                    "{shown}: `{algorithm}` has no runs on task `{}`",
                    task.1
                ))
                .help("leave the task out for all algorithms, or the algorithm"));
            };
            let score = |((_, seed), score): (&Name, &f64)| {
                RunScore::new(*score).ok_or_else(|| {
                    BadInput::new(format!(
                        "{shown}: the score of seed {seed} of `{algorithm}` on task `{}` is {score}",
                        task.1
                    ))
                    .help("a run that diverged needs a number too: its last finite score, or the worst there is")
                })
            };
            scores.push(runs.iter().map(score).collect::<Result<Vec<RunScore>, BadInput>>()?);
        }
        let scores = Scores::new(scores).ok_or_else(|| BadInput::new(format!("{shown} holds no scores")))?;
        algorithms.insert(algorithm, scores);
    }
    let tasks = tasks.into_iter().map(|(_, task)| task).collect();
    Ok(ScoreFile { tasks, algorithms })
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

    #[test]
    fn both_formats_say_the_same() {
        let of_json = json(r#"{"a": [[1, 2], [3, 4], [5, 6]], "b": [[0, 1.5]]}"#).unwrap();
        let of_csv = csv("task,step,score,seed,algorithm\n\
             0,10,1,0,a\n0,10,3,1,a\n0,10,5,2,a\n1,5,9,0,a\n1,10,2,0,a\n1,10,4,1,a\n1,10,6,2,a\n\
             0,10,0,0,b\n1,10,1.5,0,b\n")
        .unwrap();
        assert_eq!(of_json, of_csv);
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
        check(csv(""), "no column `task`");
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
    fn the_best_evaluation_is_that_of_the_highest_mean() {
        let text = "task,seed,step,score\nt,0,0,9\nt,1,0,0\nt,0,5,6\nt,1,5,4\nt,0,10,3\nt,1,10,3\n";
        let curves = parse_curves("c.csv", text.as_bytes()).unwrap();
        assert_eq!(curves[0].best(), Some((5, 5.0, 1.0)));
        let missing =
            parse_curves("c.csv", "task,seed,step,score\nt,0,0,9\nt,1,5,0\n".as_bytes()).unwrap_err();
        assert!(missing.to_string().contains("seed 1 of `all` was not evaluated at the steps"), "{missing}");
    }
}
