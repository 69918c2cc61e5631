//! The verdicts on record against those of now.

use crate::verdicts::Answer;
use anyhow::Result;
use diagnostics::BadInput;
use serde_json::Value;

/// What is no longer as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The claim's id.
    pub claim: String,
    /// What was and what is.
    pub what: String,
}

/// Every difference between the verdicts on record, `then`, and the answers of `now`: verdicts of claims and of their
/// readings, numbers, and claims that were added or taken away. Empty where they are the same.
///
/// # Errors
/// [`BadInput`] if `then`, which came from `file`, is not such a record.
pub fn changes(file: &str, then: &str, now: &[Answer]) -> Result<Vec<Change>> {
    let damaged = |what: &dyn std::fmt::Display| {
        BadInput::new(format!("{file} is no record of verdicts: {what}"))
            .help("restore it with git, or write it anew with `cargo xtask report`")
    };
    let then: Vec<Value> = serde_json::from_str(then).map_err(|error| damaged(&error))?;
    // Through text, as the record went: a number that is read may differ in its last bit from the one written.
    let now: Vec<Value> = serde_json::from_str(&serde_json::to_string(now)?)?;
    if then.iter().any(|answer| !answer["claim"].is_string()) {
        return Err(damaged(&"an entry without a claim").into());
    }
    let mut changes = Vec::new();
    let mut note = |answer: &Value, what: String| changes.push(Change { claim: text(answer, "claim"), what });
    for answer in &now {
        match same(&then, answer, "claim") {
            None => note(answer, format!("is not on record: now {}", told(answer))),
            Some(old) if old == answer => {}
            Some(old) => compare(old, answer).into_iter().for_each(|what| note(answer, what)),
        }
    }
    for old in then.iter().filter(|old| same(&now, old, "claim").is_none()) {
        note(old, format!("was {}, and is no longer made", told(old)));
    }
    Ok(changes)
}

/// What of one claim changed.
fn compare(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if old["verdict"] != new["verdict"] {
        found.push(format!("was {}, and is now {}", told(old), told(new)));
    }
    let empty = Vec::new();
    let readings = |answer: &'_ Value| answer["readings"].as_array().unwrap_or(&empty).clone();
    let (olds, news) = (readings(old), readings(new));
    for reading in &news {
        let name = text(reading, "reading");
        match same(&olds, reading, "reading") {
            None => found.push(format!("reading `{name}` is not on record: now {}", told(reading))),
            Some(old) if old == reading => {}
            Some(old) => {
                found.push(format!("reading `{name}` was {}, and is now {}", told(old), told(reading)));
            }
        }
    }
    for old in olds.iter().filter(|old| same(&news, old, "reading").is_none()) {
        found.push(format!("reading `{}` is no longer made", text(old, "reading")));
    }
    if found.is_empty() {
        let fields =
            new.as_object().into_iter().flatten().filter(|(name, value)| old[name.as_str()] != **value);
        let names: Vec<String> = fields.map(|(name, _)| format!("`{name}`")).collect();
        found.push(format!("has the same verdict, but other {}", names.join(", ")));
    }
    found
}

fn same<'a>(list: &'a [Value], entry: &Value, key: &str) -> Option<&'a Value> {
    list.iter().find(|other| other[key] == entry[key])
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or("none").to_owned()
}

/// A verdict with the number and the reason behind it.
fn told(value: &Value) -> String {
    let mut told = text(value, "verdict").replace('-', " ");
    if let (Some(point), Some([low, high])) =
        (value["point"].as_f64(), value["interval"].as_array().map(Vec::as_slice))
    {
        told += &format!(" at {point} [{low}, {high}]");
    }
    let reason = value["why"].as_str().or(value["what"].as_str());
    reason.map_or(told.clone(), |reason| format!("{told} ({reason})"))
}

/// One line of a GitHub workflow's log that makes an annotation, with everything escaped that the runner would read as
/// its own: percent signs and line ends, and in properties colons and commas too.
#[must_use]
pub fn github(level: &str, properties: &[(&str, &str)], message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |(name, value): &(&str, &str)| {
        format!("{name}={}", data(value).replace(':', "%3A").replace(',', "%2C"))
    };
    let properties: Vec<String> = properties.iter().map(property).collect();
    let space = if properties.is_empty() { "" } else { " " };
    format!("::{level}{space}{}::{}", properties.join(","), data(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdicts::{ReadingAnswer, Verdict};
    use experiment::{Metric, Threshold};

    fn answer(claim: &str, verdict: &Verdict, point: f64) -> Answer {
        Answer {
            claim: claim.to_owned(),
            statement: "it is faster".to_owned(),
            cite: "abstract".to_owned(),
            metric: "ratio of a over b".to_owned(),
            compares: Metric::Ratio,
            threshold: Threshold::Above(1.0),
            tasks: vec!["Ant-v5".to_owned()],
            steps: vec![10],
            verdict: verdict.clone(),
            readings: vec![ReadingAnswer {
                reading: "end".to_owned(),
                of: None,
                decimals: None,
                point: Some(point),
                interval: Some([point - 0.5, point + 0.5]),
                runs: 3,
                note: None,
                verdict: verdict.clone(),
            }],
        }
    }

    fn changed(then: &[Answer], now: &[Answer]) -> Vec<String> {
        let then = serde_json::to_string_pretty(then).unwrap();
        let changes = changes("verdicts.json", &then, now).unwrap();
        changes.into_iter().map(|change| format!("{}: {}", change.claim, change.what)).collect()
    }

    #[test]
    fn a_change_names_the_claim_and_both_verdicts() {
        let open = Verdict::Inconclusive {
            why: "the interval holds the threshold".to_owned(),
            runs_needed: Some(9),
        };
        let (yes, maybe) = (answer("faster", &Verdict::Reproduced, 2.0), answer("faster", &open, 1.25));
        assert!(changed(std::slice::from_ref(&yes), std::slice::from_ref(&yes)).is_empty());
        assert_eq!(
            changed(std::slice::from_ref(&yes), &[maybe]),
            [
                "faster: was reproduced, and is now inconclusive (the interval holds the threshold)",
                "faster: reading `end` was reproduced at 2 [1.5, 2.5], and is now inconclusive at 1.25 [0.75, 1.75] \
                 (the interval holds the threshold)"
            ]
        );
        let nearly = answer("faster", &Verdict::Reproduced, 3.0);
        assert_eq!(
            changed(std::slice::from_ref(&yes), &[nearly]),
            ["faster: reading `end` was reproduced at 2 [1.5, 2.5], and is now reproduced at 3 [2.5, 3.5]"]
        );
        let other = Answer { steps: vec![20], ..yes.clone() };
        assert_eq!(
            changed(std::slice::from_ref(&yes), &[other]),
            ["faster: has the same verdict, but other `steps`"]
        );
        assert_eq!(
            changed(&[yes], &[answer("stronger", &Verdict::NotReproduced, 0.0)]),
            [
                "stronger: is not on record: now not reproduced",
                "faster: was reproduced, and is no longer made"
            ]
        );
    }

    #[test]
    fn a_damaged_record_is_bad_input() {
        for then in ["", "{}", "[{}]", "[1]"] {
            let error = changes("verdicts.json", then, &[]).unwrap_err();
            assert!(error.downcast_ref::<BadInput>().is_some(), "{error}");
        }
    }

    #[test]
    fn annotations_escape_what_the_runner_reads_as_its_own() {
        assert_eq!(github("notice", &[], "100 %"), "::notice::100 %25");
        assert_eq!(
            github("warning", &[("file", "a,b:c.toml"), ("title", "50 %\n")], "one\r\ntwo: a, b"),
            "::warning file=a%2Cb%3Ac.toml,title=50 %25%0A::one%0D%0Atwo: a, b"
        );
    }
}
