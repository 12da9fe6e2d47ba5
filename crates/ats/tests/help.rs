//! Help, manual and completions: what is told before anything runs.

mod support;

use std::fs;

use support::{Place, ats, finish};

#[test]
fn every_command_explains_itself_with_examples() {
    for command in ["demo", "run", "replay", "completions", "man"] {
        let help = finish(ats(&[command, "--help"]));
        let help = help.expect_plain().expect_code(0);
        insta::assert_snapshot!(format!("{command}-help"), help.stdout);
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let place = Place::with("unused", "");
    let directory = place.path("man1");
    let directory = directory.to_str().unwrap();
    finish(ats(&["man", "--dir", directory])).expect_code(0);
    for page in ["ats.1", "ats-demo.1", "ats-replay.1", "ats-run.1"] {
        let text = fs::read_to_string(place.path("man1").join(page)).unwrap();
        assert!(text.contains(".TH "), "{page}: {text}");
    }
    let printed = finish(ats(&["man", "run"])).expect_code(0);
    assert!(
        printed.stdout.contains("keep\\-going"),
        "{}",
        printed.stdout
    );
    assert!(printed.stdout.contains("Exit codes:"), "{}", printed.stdout);
}

#[test]
fn an_unknown_page_is_refused_with_the_nearest() {
    let refused = finish(ats(&["man", "rnu"])).expect_code(2);
    assert_eq!(
        refused.stderr,
        "error: there is no command `rnu`\n  help: did you mean `run`?\n"
    );
}

#[test]
fn there_is_a_script_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = finish(ats(&["completions", shell])).expect_code(0);
        assert!(script.stdout.contains("ATS_COMPLETE"), "{}", script.stdout);
    }
}

#[test]
fn names_of_tasks_are_completed() {
    let place = Place::with(
        "ats.toml",
        "[tasks.build]\nrun = 'true'\n[tasks.bundle]\nrun = 'true'\n[tasks.test]\nrun = 'true'\nmatrix = { n = [1, 2] }\n\
         [tasks.'bu$(touch x)']\nrun = 'true'\n",
    );
    fs::write(place.path("budget.toml"), "").unwrap();
    let cases = [
        (&["ats.toml", "bu"][..], "build\nbundle"),
        (&["bu"], "build\nbundle\nbudget.toml"),
        (&["--explain", "te"], "test"),
        (&["--output", "l"], "live"),
    ];
    for (words, expected) in cases {
        let mut question = ats(&[&["--", "ats", "run"], words].concat());
        question
            .current_dir(place.directory())
            .env("ATS_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", (words.len() + 1).to_string())
            .env("_CLAP_COMPLETE_COMP_TYPE", "9")
            .env("_CLAP_IFS", "\n");
        let answer = finish(question).expect_code(0);
        assert_eq!(answer.stdout.trim_end(), expected, "{}", answer.stderr);
    }
}

#[test]
fn the_readme_names_every_option_of_run() {
    let readme = include_str!("../README.md");
    let help = finish(ats(&["run", "--help"])).expect_code(0);
    let options = help.stdout.lines().filter_map(|line| {
        let option = line
            .split_whitespace()
            .find(|word| word.starts_with("--"))?;
        let is_definition = line.starts_with("      --") || line.starts_with("  -");
        is_definition.then(|| option.split(['[', '=']).next().unwrap_or(option).to_owned())
    });
    let missing: Vec<String> = options
        .filter(|option| option != "--help" && !readme.contains(option.as_str()))
        .collect();
    assert!(missing.is_empty(), "README.md lacks {missing:?}");
}

#[test]
fn every_example_is_right() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut seen = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            finish(ats(&["run", path.to_str().unwrap(), "--dry-run"])).expect_code(0);
            seen += 1;
        }
    }
    assert!(seen >= 3);
}
