//! What right files mean: every key, variables, matrices and includes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use adaptive_task_scheduler::Priority;

use super::format::Format;
use super::model::{Action, Lane, Task, TaskFile};

fn parsed_as(name: &str, format: Format, source: &str, arguments: &[&str]) -> TaskFile {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    super::parse(Path::new(name), source.into(), format, &arguments)
        .unwrap_or_else(|wrong| panic!("{source}:\n{wrong}"))
}

fn parsed(source: &str) -> TaskFile {
    parsed_as("dir/tasks.toml", Format::Toml, source, &[])
}

#[track_caller]
fn shell(task: &Task) -> &str {
    match &task.action {
        Action::Shell(text) => text,
        other => panic!("{other:?}"),
    }
}

fn names(file: &TaskFile) -> Vec<&str> {
    file.tasks.iter().map(|task| task.name.as_str()).collect()
}

/// Names of what a task needs.
fn needs<'f>(file: &'f TaskFile, task: &str) -> Vec<&'f str> {
    let task = file.tasks.iter().find(|own| own.name == task).unwrap();
    let names = task
        .needs
        .iter()
        .map(|&need| file.tasks[need].name.as_str());
    names.collect()
}

const EVERY_KEY: &str = r#"
version = 1
jobs = 3
env = { EVERYWHERE = "1", NUMBER = 2 }

[tasks.full]
description = "everything"
exec = ["cc", "-o", "a b", ""]
needs = ["plain"]
inputs = ["src/**/*.c"]
outputs = ["a b"]
env = { HERE = "x" }
cwd = "sub"
priority = "production"
deadline = "2m"
timeout = 1.5
retries = { count = 3, backoff = "250ms" }
if = "test -e src"
always = true
lane = "io"

[tasks.plain]
run = "echo"
retries = 2

[tasks.gather]
needs = ["full", "plain"]
"#;

const EVERY_KEY_IN_YAML: &str = r#"
version: 1
jobs: 3
env: { EVERYWHERE: "1", NUMBER: 2 }
tasks:
  full:
    description: everything
    exec: [cc, -o, a b, ""]
    needs:
      - plain
    inputs: ["src/**/*.c"]
    outputs: [a b]
    env:
      HERE: x
    cwd: sub
    priority: production
    deadline: 2m
    timeout: 1.5
    retries: { count: 3, backoff: 250ms }
    if: test -e src
    always: true
    lane: io
  plain:
    run: echo
    retries: 2
  gather:
    needs: [full, plain]
"#;

#[test]
fn every_key_is_taken() {
    let file = parsed(EVERY_KEY);
    assert_eq!(file.jobs, Some(3));
    let [full, plain, gather] = file.tasks.as_slice() else {
        panic!("{file:?}")
    };
    assert_eq!(full.description.as_deref(), Some("everything"));
    let arguments = ["cc", "-o", "a b", ""].map(str::to_owned);
    assert_eq!(full.action, Action::Exec(arguments.into()));
    assert_eq!(full.needs, [1]);
    assert_eq!(full.inputs, ["src/**/*.c"]);
    assert_eq!(full.outputs, ["a b"]);
    let env = [("EVERYWHERE", "1"), ("NUMBER", "2"), ("HERE", "x")];
    assert_eq!(
        full.env,
        env.map(|(name, value)| (name.into(), value.into()))
    );
    assert_eq!(full.directory, Path::new("dir/sub"));
    assert_eq!(full.priority, Priority::Production);
    assert_eq!(full.deadline, Some(Duration::from_secs(120)));
    assert_eq!(full.timeout, Some(Duration::from_millis(1500)));
    assert_eq!(full.retries.count, 3);
    assert_eq!(full.retries.backoff, Duration::from_millis(250));
    assert_eq!(full.condition.as_deref(), Some("test -e src"));
    assert!(full.always);
    assert_eq!(full.lane, Lane::Io);
    assert_eq!(
        (full.place.line, &*full.place.file),
        (6, Path::new("dir/tasks.toml"))
    );

    assert_eq!(
        (plain.retries.count, plain.retries.backoff),
        (2, Duration::ZERO)
    );
    assert_eq!(
        (plain.always, plain.lane, plain.deadline),
        (false, Lane::Cpu, None)
    );
    assert_eq!(plain.directory, Path::new("dir"));
    assert_eq!(
        (&gather.action, gather.needs.as_slice()),
        (&Action::Nothing, &[0, 1][..])
    );
}

#[test]
fn yaml_means_the_same() {
    let toml = parsed(EVERY_KEY);
    let mut yaml = parsed_as("dir/tasks.yaml", Format::Yaml, EVERY_KEY_IN_YAML, &[]);
    assert_eq!(yaml.tasks[0].place.line, 6);
    yaml.source.clone_from(&toml.source);
    for (yaml, toml) in yaml.tasks.iter_mut().zip(&toml.tasks) {
        yaml.place = toml.place.clone();
    }
    assert_eq!(yaml, toml);
}

#[test]
fn values_are_data_wherever_they_are_put() {
    let file = parsed(
        r#"
        [vars]
        evil = "it's; $(rm -rf /) \"*\" {{{{ evil }}"
        dash = "-rf"
        two = "a b\nc"
        [tasks.shell]
        run = "echo {{ evil }} x{{dash}}y; # no"
        if = "test {{ two }}"
        [tasks.exec]
        exec = ["echo", "{{ evil }}", "--x={{ two }}"]
        env = { E = "<{{ evil }}>" }
        cwd = "d/{{ dash }}"
        inputs = ["{{ evil }}/*.c"]
        outputs = ["{{ dash }}"]
        [tasks.braces]
        run = "docker ps --format '{{{{.Names}}'"
        "#,
    );
    let evil = "it's; $(rm -rf /) \"*\" {{ evil }}";
    let quoted = r#"'it'\''s; $(rm -rf /) "*" {{ evil }}'"#;
    assert_eq!(
        shell(&file.tasks[0]),
        format!("echo {quoted} x'-rf'y; # no")
    );
    assert_eq!(file.tasks[0].condition.as_deref(), Some("test 'a b\nc'"));
    let exec = &file.tasks[1];
    let arguments = ["echo", evil, "--x=a b\nc"].map(str::to_owned);
    assert_eq!(exec.action, Action::Exec(arguments.into()));
    assert_eq!(exec.env, [("E".into(), format!("<{evil}>"))]);
    assert_eq!(exec.directory, Path::new("dir/d/-rf"));
    assert_eq!(exec.inputs, [r#"it's; $(rm -rf /) "[*]" {{ evil }}/*.c"#]);
    assert_eq!(exec.outputs, ["-rf"]);
    assert_eq!(shell(&file.tasks[2]), "docker ps --format '{{.Names}}'");
}

#[test]
fn arguments_take_the_place_of_declared_values() {
    let source = r#"
        vars = { env = "test", target = "to-{{ env }}", count = 3 }
        [tasks.deploy]
        run = "deploy {{ env }} {{ target }} {{ count }}"
    "#;
    let cases: [(&[&str], &str); 4] = [
        (&[], "deploy 'test' 'to-test' '3'"),
        (&["--env", "prod"], "deploy 'prod' 'to-prod' '3'"),
        (
            &["--env=--a=b", "--count=7"],
            "deploy '--a=b' 'to---a=b' '7'",
        ),
        (
            &["--env={{ count }}", "--target="],
            "deploy '{{ count }}' '' '3'",
        ),
    ];
    for (arguments, expected) in cases {
        let file = parsed_as("tasks.toml", Format::Toml, source, arguments);
        assert_eq!(shell(&file.tasks[0]), expected, "{arguments:?}");
    }
}

#[test]
fn a_matrix_makes_an_instance_of_each_combination() {
    let file = parsed(
        r#"
        [tasks.build]
        run = "build {{ matrix.os }}"
        matrix = { os = ["linux", "mac"] }
        [tasks.test]
        run = "test {{ matrix.os }} {{ matrix.n }}"
        needs = ["build (os={{ matrix.os }})"]
        matrix = { os = ["linux", "mac"], n = [1, true] }
        [tasks.all]
        needs = ["test", "build"]
        "#,
    );
    assert_eq!(
        names(&file),
        [
            "build (os=linux)",
            "build (os=mac)",
            "test (os=linux, n=1)",
            "test (os=linux, n=true)",
            "test (os=mac, n=1)",
            "test (os=mac, n=true)",
            "all"
        ]
    );
    assert_eq!(file.tasks[5].class, "test");
    assert_eq!(shell(&file.tasks[5]), "test 'mac' 'true'");
    assert_eq!(needs(&file, "test (os=mac, n=1)"), ["build (os=mac)"]);
    assert_eq!(file.tasks[6].needs, [0, 1, 2, 3, 4, 5]);
}

/// Writes files into a folder of their own and reads the first.
fn folder(files: &[(&str, &str)], arguments: &[&str]) -> (tempfile::TempDir, TaskFile) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let file = super::read(&folder.path().join(files[0].0), &arguments)
        .unwrap_or_else(|failure| panic!("{failure:?}"));
    (folder, file)
}

#[test]
fn included_tasks_have_their_namespace_directory_and_variables() {
    let (folder, file) = folder(
        &[
            (
                "ats.toml",
                r#"
                include = { api = "api/ats.yaml", web = "web/ats.toml" }
                env = { A = "outer", B = "outer" }
                vars = { mode = "debug", own = "outer" }
                [tasks.all]
                needs = ["api:build", "web:build"]
                "#,
            ),
            (
                "api/ats.yaml",
                "include: [../common.toml]\nvars: {own: api}\nenv: {B: inner}\ntasks:\n  build: {run: 'echo {{ mode }} {{ own }}', needs: [fetch]}\n",
            ),
            (
                "web/ats.toml",
                "include = [\"../common.toml\"]\n[tasks.build]\nrun = \"echo {{ own }} {{ shared }}\"\nneeds = [\"fetch\"]",
            ),
            (
                "common.toml",
                "vars = { shared = \"s\" }\n[tasks.fetch]\nrun = \"fetch\"",
            ),
        ],
        &["--mode", "release", "--web:shared=x"],
    );
    assert_eq!(
        names(&file),
        ["all", "api:build", "web:build", "api:fetch", "web:fetch"]
    );
    assert_eq!(file.tasks[0].needs, [1, 2]);
    assert_eq!(needs(&file, "web:build"), ["web:fetch"]);
    assert_eq!(shell(&file.tasks[1]), "echo 'release' 'api'");
    assert_eq!(shell(&file.tasks[2]), "echo 'outer' 'x'");
    assert_eq!(file.tasks[1].directory, folder.path().join("api"));
    let env = [("A", "outer"), ("B", "outer"), ("B", "inner")];
    assert_eq!(
        file.tasks[1].env,
        env.map(|(name, value)| (name.into(), value.into()))
    );
}

#[test]
fn a_file_that_two_others_include_is_there_once() {
    let (_folder, file) = folder(
        &[
            ("ats.toml", "include = [\"a.toml\", \"b.toml\"]"),
            (
                "a.toml",
                "include = [\"c.toml\"]\n[tasks.a]\nrun = \"a\"\nneeds = [\"c\"]",
            ),
            (
                "b.toml",
                "include = [\"./c.toml\"]\n[tasks.b]\nrun = \"b\"\nneeds = [\"c\", \"a\"]",
            ),
            ("c.toml", "[tasks.c]\nrun = \"c\""),
        ],
        &[],
    );
    assert_eq!(names(&file), ["a", "b", "c"]);
    assert_eq!(needs(&file, "b"), ["a", "c"]);
}
