//! Long CSV, read line by line: a file of any length takes room for the scores that are kept only.

use super::{ByRun, Name, ScoreFile, finite, gather, no_scores, slot, unreadable};
use diagnostics::BadInput;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes that a line may have. An unclosed quote would make one line of all that follows.
const LONGEST_LINE: usize = 1 << 20;

/// Counts what is read since the count was last set to 0, and ends where that is too much.
struct Counted<R> {
    input: R,
    since_line: Rc<Cell<usize>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_line.get() > LONGEST_LINE {
            let what = format!("a line of more than {LONGEST_LINE} bytes; is a quote not closed?");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let count = self.input.read(buffer)?;
        self.since_line.set(self.since_line.get() + count);
        Ok(count)
    }
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
        let help = "the columns are algorithm,task,seed,step,score";
        let found = header.iter().collect::<Vec<_>>().join(",");
        let find = |name: &str| -> Result<Option<usize>, BadInput> {
            let mut places = (0..header.len()).filter(|place| header[*place].trim() == name);
            match (places.next(), places.next()) {
                (_, Some(_)) => {
                    Err(BadInput::new(format!("{shown}:1: two columns `{name}` in `{found}`")).help(help))
                }
                (place, None) => Ok(place),
            }
        };
        let needed = |name: &str, place: Option<usize>| {
            place.ok_or_else(|| {
                BadInput::new(format!("{shown}:1: no column `{name}` in `{found}`")).help(help)
            })
        };
        let score = match find("score")? {
            None => find("return")?,
            score => score,
        };
        Ok(Self {
            algorithm: find("algorithm")?,
            task: needed("task", find("task")?)?,
            seed: needed("seed", find("seed")?)?,
            step: find("step")?,
            score: needed("score", score)?,
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

/// A whole number, also where it is written as `5000.0` or `5e3`, as other programs do.
fn whole(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && (0.0..=9e15).contains(&number)).then_some(number as u64)
    })
}

/// Calls `take` on each line.
fn each_line(
    shown: &str,
    input: impl Read,
    mut take: impl FnMut(Line<'_>) -> Result<(), BadInput>,
) -> Result<(), BadInput> {
    let since_line = Rc::new(Cell::new(0));
    let mut reader = csv::Reader::from_reader(Counted { input, since_line: Rc::clone(&since_line) });
    let header = reader.headers().map_err(|error| unreadable(shown, &error))?;
    if header.is_empty() {
        return Err(no_scores(shown));
    }
    let columns = Columns::find(shown, header)?;
    let mut record = csv::StringRecord::new();
    since_line.set(0);
    while reader.read_record(&mut record).map_err(|error| unreadable(shown, &error))? {
        since_line.set(0);
        let number = record.position().map_or(0, csv::Position::line);
        let field = |column: usize| record.get(column).unwrap_or_default().trim();
        let bad = |what: &str| BadInput::new(format!("{shown}:{number}: {what}"));
        let step = columns.step.map_or(Ok(0), |column| {
            whole(field(column)).ok_or_else(|| bad(&format!("step `{}` is no whole number", field(column))))
        })?;
        let score = field(columns.score)
            .parse()
            .map_err(|_| bad(&format!("score `{}` is no number", field(columns.score))))?;
        let run = [columns.algorithm.map_or("all", field), field(columns.task), field(columns.seed)];
        if let Some(empty) = (0..3).find(|i| run[*i].is_empty()) {
            return Err(bad(&format!("no {}", ["algorithm", "task", "seed"][empty]))
                .help("every line says which algorithm, task and seed it is of"));
        }
        take(Line { number, run, step, score })?;
    }
    Ok(())
}

/// By algorithm, task and seed.
type Nested<T> = BTreeMap<String, BTreeMap<String, BTreeMap<String, T>>>;

/// The runs as they stood at their last step, from CSV text of the file `shown`.
///
/// # Errors
/// [`BadInput`] if the text is damaged, names a run twice, holds a score that is no finite number, has runs that end at
/// different steps, or lacks an algorithm's runs on a task.
pub fn parse_csv(shown: &str, input: impl Read) -> Result<ScoreFile, BadInput> {
    // The last step of each run so far.
    let mut last = Nested::<Option<(u64, f64)>>::new();
    each_line(shown, input, |line| {
        let [algorithm, task, seed] = line.run;
        let known = slot(slot(slot(&mut last, algorithm), task), seed);
        match known {
            Some((step, _)) if *step == line.step => return Err(line.twice(shown)),
            Some((step, _)) if *step > line.step => {}
            _ => *known = Some((line.step, line.score)),
        }
        Ok(())
    })?;
    let mut runs = ByRun::new();
    for (algorithm, tasks) in last {
        for (task, seeds) in tasks {
            let mut end: Option<(u64, String)> = None;
            for (seed, at_end) in seeds {
                let Some((step, score)) = at_end else { continue };
                let (first, of) = end.get_or_insert_with(|| (step, seed.clone()));
                if *first != step {
                    return Err(BadInput::new(format!(
                        "{shown}: on `{task}`, seed {of} of `{algorithm}` ends at step {first}, and seed {seed} at \
                         step {step}"
                    ))
                    .help("cut all runs at the last step that they have in common"));
                }
                let of_task = slot(&mut runs, &algorithm).entry(Name::word(&task)).or_default();
                of_task.insert(Name::word(&seed), score);
            }
        }
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

/// The learning curves of CSV text of the file `shown`, by algorithm and task.
///
/// # Errors
/// As [`parse_csv`], and if an algorithm's runs on a task were not evaluated at the same steps.
pub fn parse_curves(shown: &str, input: impl Read) -> Result<Vec<Curve>, BadInput> {
    let mut runs = Nested::<BTreeMap<u64, f64>>::new();
    each_line(shown, input, |line| {
        let [algorithm, task, seed] = line.run;
        finite(shown, line.run, line.score)?;
        let known = slot(slot(slot(&mut runs, algorithm), task), seed).insert(line.step, line.score);
        if known.is_some() { Err(line.twice(shown)) } else { Ok(()) }
    })?;
    if runs.is_empty() {
        return Err(no_scores(shown));
    }
    let mut curves = Vec::new();
    for (algorithm, tasks) in runs {
        for (task, seeds) in tasks {
            let mut evaluations: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
            for (seed, scores) in seeds {
                if !evaluations.is_empty() && !evaluations.keys().eq(scores.keys()) {
                    return Err(BadInput::new(format!(
                        "{shown}: on `{task}`, seed {seed} of `{algorithm}` was not evaluated at the steps of the \
                         others"
                    ))
                    .help("keep the steps that all runs have in common"));
                }
                scores.into_iter().for_each(|(step, score)| evaluations.entry(step).or_default().push(score));
            }
            curves.push(Curve { algorithm: algorithm.clone(), task, evaluations });
        }
    }
    Ok(curves)
}
