//! `ats replay` in virtual time: the same result for the same question, and honest ones.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Finished, Place, ats, finish};

/// A workflow of tasks (name, seconds, names of parents).
fn workflow(tasks: &[(&str, f64, &[&str])]) -> String {
    let specified: Vec<Value> = tasks
        .iter()
        .map(|(id, _, parents)| json!({"id": id, "name": id, "parents": parents}))
        .collect();
    let executed: Vec<Value> = tasks
        .iter()
        .map(|(id, seconds, _)| json!({"id": id, "runtimeInSeconds": seconds}))
        .collect();
    json!({
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {"tasks": specified},
            "execution": {"tasks": executed},
        },
    })
    .to_string()
}

/// Three short tasks stand before the long one; of two cores one idles while it runs last.
const LONG_LAST: [(&str, f64, &[&str]); 4] = [
    ("short_1", 2.0, &[]),
    ("short_2", 2.0, &[]),
    ("short_3", 2.0, &[]),
    ("long_1", 6.0, &[]),
];

#[track_caller]
fn lab(arguments: &[&str], files: &[PathBuf]) -> Finished {
    let mut all = vec!["replay".to_owned()];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    all.extend(files.iter().map(|file| file.display().to_string()));
    finish(ats(&all))
}

#[track_caller]
fn objects(arguments: &[&str], files: &[PathBuf]) -> Vec<Value> {
    let mut all = vec!["--virtual", "--output", "json"];
    all.extend(arguments);
    let run = lab(&all, files).expect_code(0).expect_plain();
    let parse = |line| serde_json::from_str(line).expect("one JSON object a line");
    run.stdout.lines().map(parse).collect()
}

/// What a policy makes of a row.
fn makespan(row: &Value, policy: &str) -> f64 {
    let policies = row["policies"].as_array().unwrap();
    let found = policies.iter().find(|one| one["policy"] == policy);
    found.unwrap()["makespan"].as_f64().unwrap()
}

fn files(place: &Place, contents: &[String]) -> Vec<PathBuf> {
    let write = |(n, content): (usize, &String)| {
        let path = place.path(&format!("run-{n}.json"));
        fs::write(&path, content).unwrap();
        path
    };
    contents.iter().enumerate().map(write).collect()
}

#[test]
fn policies_stand_side_by_side_for_each_number_of_cores() {
    let place = Place::with("none", "");
    let files = files(&place, &[workflow(&LONG_LAST)]);
    let found = objects(&["--cores", "2,1"], &files);
    assert_eq!(found.len(), 4, "two rows, two summaries");
    let (two, one) = (&found[0], &found[1]);
    assert_eq!((&two["cores"], &one["cores"]), (&json!(2), &json!(1)));
    assert_eq!(two["lower_bound"], 6.0);
    assert_eq!(makespan(two, "first_come"), 8.0);
    assert_eq!(makespan(two, "depth"), 8.0);
    assert_eq!(makespan(two, "longest_first"), 6.0);
    assert_eq!(makespan(two, "class_means"), 6.0);
    assert_eq!(makespan(two, "perfect"), 6.0);
    for policy in ["first_come", "learned", "perfect"] {
        assert_eq!(makespan(one, policy), 12.0);
    }
    assert_eq!(found[2]["summary"]["cores"], 2);
}

#[test]
fn learned_knows_other_runs_and_never_its_own() {
    let place = Place::with("none", "");
    let content = workflow(&LONG_LAST);
    // Alone, and given twice, nothing can be known beforehand.
    let alone = files(&place, &[content.clone(), content.clone()]);
    let found = objects(&["--cores", "2"], &alone);
    assert_eq!(found[0]["learned_from"], 0);
    assert_eq!(makespan(&found[0], "learned"), 8.0);
    // A run that took a little longer knows which class is long.
    let mut longer = LONG_LAST;
    longer[3].1 = 7.0;
    let two = files(&place, &[content, workflow(&longer)]);
    let found = objects(&["--cores", "2"], &two);
    assert_eq!(found[0]["learned_from"], 1);
    assert_eq!(makespan(&found[0], "learned"), 6.0);
    assert_eq!(makespan(&found[1], "learned"), 7.0);
}

#[test]
fn urgent_tasks_are_the_same_for_the_same_seed_and_wait_less_than_first_come() {
    let place = Place::with("none", "");
    let wide: Vec<(String, f64, &[&str])> = (0..200)
        .map(|n| (format!("work_{n}"), 1.0 + f64::from(n % 7), &[][..]))
        .collect();
    let wide: Vec<_> = wide
        .iter()
        .map(|(name, seconds, parents)| (name.as_str(), *seconds, *parents))
        .collect();
    let files = files(&place, &[workflow(&wide)]);
    let text = |seed: &str| {
        let arguments = ["--cores", "4", "--urgent", "10%", "--seed", seed];
        lab(&arguments, &files).expect_code(0).expect_plain().stdout
    };
    assert_eq!(text("1"), text("1"));
    assert_ne!(text("1"), text("2"));
    assert!(text("3").contains("seed 3"), "{}", text("3"));
    let found = objects(&["--cores", "4", "--urgent", "10%"], &files);
    let p99 = |policy: &str| {
        let policies = found[0]["policies"].as_array().unwrap();
        let one = policies.iter().find(|one| one["policy"] == policy).unwrap();
        one["urgent"]["wait_p99"].as_f64().unwrap()
    };
    assert!(p99("learned") <= 0.2 * p99("first_come"), "{}", found[0]);
    assert!(p99("learned") <= 7.0, "no longer than the longest task");
}

#[test]
fn chosen_policies_are_in_the_table_alone_and_nothing_urgent_is_said_so() {
    let place = Place::with("none", "");
    let files = files(&place, &[workflow(&LONG_LAST)]);
    let arguments = [
        "--policy",
        "perfect,depth",
        "--cores",
        "2",
        "--urgent",
        "1/h",
    ];
    let run = lab(&arguments, &files).expect_code(0).expect_plain();
    let expected = "\
Virtual time: identical workers with one task each, never interrupted; no transfers,
and nobody slows anybody down. Makespan over max(critical path, work over cores).

2 cores                tasks    bound    depth  perfect
run-0                      4   6.00 s    1.333    1.000
no urgent task arrived until the bound; give a higher rate

makespan
2 cores                                  8.00s    6.00s
";
    assert_eq!(run.stdout, expected);
}

#[test]
fn what_belongs_to_real_time_is_refused_in_virtual_time() {
    let run = lab(&["--virtual", "--speed", "2", "x.json"], &[]).expect_code(2);
    assert!(run.stderr.contains("cannot be used with"), "{}", run.stderr);
    let run = lab(&["--cores", "2,8", "--speed", "2", "x.json"], &[]).expect_code(2);
    assert!(run.stderr.contains("virtual time"), "{}", run.stderr);
    let run = lab(&["--urgent", "often", "x.json"], &[]).expect_code(2);
    assert!(run.stderr.contains("`often` is no rate"), "{}", run.stderr);
}

/// Where recorded runs lie, if any do.
fn recorded() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let directory = std::env::var_os("ATS_WORKFLOWS_DIR")
        .map_or_else(|| root.join("../shared/data/workflows"), PathBuf::from);
    let Ok(entries) = fs::read_dir(directory) else {
        return vec![];
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    files
}

#[test]
fn on_recorded_workflows_learned_is_never_much_worse_than_first_come() {
    let files = recorded();
    if files.is_empty() {
        eprintln!("no recorded workflows here; ATS_WORKFLOWS_DIR says where they are");
        return;
    }
    let found = objects(&["--cores", "2,8"], &files);
    for summary in found.iter().filter_map(|one| one.get("summary")) {
        let policies = summary["policies"].as_array().unwrap();
        let of = |policy: &str| policies.iter().find(|one| one["policy"] == policy).unwrap();
        let worst = of("learned")["worst_over_first_come"].as_f64().unwrap();
        assert!(worst <= 1.02, "{summary}");
        let mean = |policy: &str| of(policy)["geometric_mean"].as_f64().unwrap();
        assert!(mean("learned") < mean("first_come"), "{summary}");
    }
}

#[test]
fn a_drawing_escapes_names_and_is_there_in_the_terminal_too() {
    let place = Place::with("none", "");
    let hostile = "<b>&\"work_1";
    let files = files(&place, &[workflow(&[(hostile, 2.0, &[]), ("b", 1.0, &[])])]);
    let svg = place.path("drawing.svg");
    let svg = svg.to_str().unwrap();
    let arguments = ["--cores", "2", "--svg", svg, "--plot", "--ascii"];
    let run = lab(&arguments, &files).expect_code(0).expect_plain();
    assert!(run.stdout.is_ascii(), "{}", run.stdout);
    assert!(
        run.stdout.contains("2 cores, perfect: 2.00 s"),
        "{}",
        run.stdout
    );
    let drawn = fs::read_to_string(svg).unwrap();
    assert!(
        drawn.contains("&lt;b&gt;&amp;&quot;work_1: 0.00 µs to 2.00 s"),
        "{drawn}"
    );
    assert!(!drawn.contains("<b>"), "{drawn}");
    let nowhere = place.path("absent/drawing.svg");
    let run = lab(&["--svg", nowhere.to_str().unwrap()], &files).expect_code(2);
    assert!(
        run.stderr.contains("the drawing cannot be written"),
        "{}",
        run.stderr
    );
}

#[test]
fn with_preemption_urgent_tasks_wait_for_nobody() {
    let place = Place::with("none", "");
    let files = files(&place, &[workflow(&LONG_LAST)]);
    let arguments = ["--cores", "1", "--urgent", "20%", "--preempt"];
    let found = objects(&arguments, &files);
    for outcome in found[0]["policies"].as_array().unwrap() {
        let waited = outcome["urgent"]["wait_p50"].as_f64().unwrap();
        // First come knows no priorities; the others wait for another urgent task at most.
        assert_eq!(waited > 1.0, outcome["policy"] == "first_come", "{outcome}");
    }
}
