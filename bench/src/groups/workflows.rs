//! I. Real graphs: recorded workflow runs in the laboratory of `ats replay`, in
//! virtual time, so that a run gives the same figures again.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    plan::{Bar, Group, Limit, Reading, Row, Unit},
    program,
    scale::Scale,
};

/// The folder of workflow files, where it is not the usual one.
const VARIABLE: &str = "ATS_WORKFLOWS";
/// The usual one, seen from this workspace.
const USUAL: &str = "../../shared/data/workflows";

const FIRST_COME: &str = "first_come";
const LEARNED: &str = "learned";
/// Learned, where urgent tasks pause others.
const PREEMPTING: &str = "learned_preempting";
const POLICIES: [&str; 6] = [
    FIRST_COME,
    "depth",
    "longest_first",
    "class_means",
    LEARNED,
    "perfect",
];

const MAKESPAN: &str = "over_lower_bound";
const WORST: &str = "worst_over_first_come";
const URGENT: &str = "urgent_p99_over_first_come";

/// Rows, and how many cores the virtual machine has.
const MACHINES: [(&str, &str, f64); 2] = [("cores_2", "2", 1.035), ("cores_8", "8", 1.10)];
const WITH_URGENT: &str = "_and_urgent";

pub(crate) fn group() -> Group {
    Group {
        letter: 'I',
        title: "Real graphs: recorded workflow runs, in virtual time",
        prepare: || program::ats().map(drop),
        rows,
        run,
        summary: |_| Vec::new(),
        notes,
        runs: |_| 1,
    }
}

fn notes() -> Vec<String> {
    let folder = folder();
    let files = files(&folder).len();
    let folder = folder.display();
    if files == 0 {
        return vec![format!(
            "I is left out: no workflow files are in {folder}; {VARIABLE} names another folder."
        )];
    }
    vec![
        format!("{files} recorded runs in {folder}; several of one workflow count as one."),
        "over_lower_bound: geometric mean of the makespan over the greater of critical path and \
         work over cores. worst_over_first_come: the file that fares worst."
            .to_owned(),
        "*_and_urgent: urgent tasks come for 10 % of the cores' time; how long 99 of 100 of them \
         wait, over the same of first come. learned_preempting pauses others for them."
            .to_owned(),
    ]
}

fn folder() -> PathBuf {
    match env::var_os(VARIABLE) {
        Some(folder) => folder.into(),
        None => program::from_here(USUAL),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    files
}

fn rows() -> Vec<Row> {
    if files(&folder()).is_empty() {
        return Vec::new();
    }
    let alone = MACHINES.map(|(name, _, limit)| {
        let bars = vec![bar(LEARNED, MAKESPAN, limit), bar(LEARNED, WORST, 1.02)];
        row(name.to_owned(), POLICIES.to_vec(), bars)
    });
    let urgent = MACHINES.map(|(name, ..)| {
        let engines = vec![FIRST_COME, "depth", LEARNED, PREEMPTING];
        let bars = [LEARNED, PREEMPTING].map(|engine| bar(engine, URGENT, 0.2));
        row(format!("{name}{WITH_URGENT}"), engines, bars.to_vec())
    });
    alone.into_iter().chain(urgent).collect()
}

fn bar(engine: &'static str, metric: &'static str, limit: f64) -> Bar {
    Bar {
        engine,
        metric,
        limit: Limit::MedianAtMost(limit),
    }
}

fn row(name: String, engines: Vec<&'static str>, bars: Vec<Bar>) -> Row {
    Row {
        name,
        engines,
        baseline: FIRST_COME,
        bars,
        counted: true,
    }
}

fn run(row: &str, engine: &str, _: Scale) -> Vec<Reading> {
    let (name, is_urgent) = match row.strip_suffix(WITH_URGENT) {
        Some(name) => (name, true),
        None => (row, false),
    };
    let machine = MACHINES.iter().find(|(of, ..)| *of == name);
    let (_, cores, _) = machine.unwrap_or_else(|| panic!("group I has no row {row}"));
    let mut arguments = vec!["replay", "--virtual", "--output", "json", "--cores", cores];
    if is_urgent {
        arguments.extend(["--urgent", "10%"]);
    }
    let policy = if engine == PREEMPTING {
        arguments.push("--preempt");
        LEARNED
    } else {
        engine
    };
    let lines = replayed(&arguments);
    let figures = figures(&lines, policy).unwrap_or_else(|| panic!("ats replay said {lines}"));
    let figure = |metric, name: &str| {
        let value = figures[name].as_f64();
        let value = value.unwrap_or_else(|| panic!("ats replay tells no {name}"));
        Reading::headline(metric, Unit::Ratio, value)
    };
    if is_urgent {
        return vec![figure(URGENT, "urgent_wait_p99_over_first_come")];
    }
    vec![
        figure(MAKESPAN, "geometric_mean"),
        figure(WORST, "worst_over_first_come"),
    ]
}

/// What the laboratory says of all files.
fn replayed(arguments: &[&str]) -> String {
    let program = program::ats().unwrap_or_else(|error| panic!("{error}"));
    let output = Command::new(program)
        .args(arguments)
        .args(files(&folder()))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("ats starts");
    assert!(output.status.success(), "ats ended with {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The figures of one policy in the summary of all files.
fn figures(lines: &str, policy: &str) -> Option<Value> {
    let objects = lines.lines().map(serde_json::from_str::<Value>);
    let summary = objects.filter_map(Result::ok).find_map(|mut object| {
        let policies = object.pointer_mut("/summary/policies")?;
        Some(policies.take())
    })?;
    let policies = summary.as_array()?.iter();
    policies.clone().find(|of| of["policy"] == policy).cloned()
}

#[cfg(test)]
mod tests {
    use super::figures;

    #[test]
    fn figures_are_those_of_the_policy_in_the_summary() {
        let lines = concat!(
            r#"{"file":"a.json","policies":[{"policy":"learned","geometric_mean":9}]}"#,
            "\n",
            r#"{"summary":{"cores":2,"policies":[{"policy":"depth","geometric_mean":1.2},"#,
            r#"{"policy":"learned","geometric_mean":1.1}]}}"#,
            "\n",
        );
        let learned = figures(lines, "learned").unwrap();
        assert_eq!(learned["geometric_mean"], 1.1);
        assert_eq!(figures(lines, "none"), None);
    }
}
