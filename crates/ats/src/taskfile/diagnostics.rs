//! Every diagnostic as it is shown: each test is a file with its mistakes and what is said about it.

use std::fs;
use std::path::Path;

use super::format::Format;

/// The file, and below it what is said.
fn refused(name: &str, format: Format, text: &str, arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let wrong = super::parse(Path::new(name), text.into(), format, &arguments)
        .expect_err("the file was taken");
    let said = anstream::adapter::strip_str(&wrong.to_string()).to_string();
    format!("{text}\n---\n{said}")
}

fn toml(text: &str) -> String {
    refused("ats.toml", Format::Toml, text, &[])
}

fn yaml(text: &str) -> String {
    refused("ats.yaml", Format::Yaml, text, &[])
}

fn ninja(text: &str) -> String {
    refused("build.ninja", Format::Ninja, text, &[])
}

#[test]
fn of_keys_and_values() {
    insta::assert_snapshot!(toml(
        r#"version = 2
jbos = 1
include = 3
[vars]
"a b" = "x"
price = 1.10
[env]
"A=B" = "x"
[tasks.a]
run = "x"
exec = ["x"]
needs = "b"
inputs = [""]
outputs = [1]
cwd = " "
deadline = 0
timeout = "soon"
retries = { cuont = 1 }
if = ""
always = "yes"
lane = "gpu"
matrix = { os = [], n = ["x", "x"], m = "x" }
priority = "prodction"
[tasks.b]
exec = []
[tasks.c]
exec = [""]
[tasks.d]
retries = 1
[tasks.-e]
run = "x"
[tasks."f\n"]
run = "a\u0000b"
[tasks]
g = 1
"#
    ));
}

#[test]
fn of_names_and_cycles() {
    insta::assert_snapshot!(toml(
        r#"[tasks.build]
run = "x"
needs = ["fetch", "fetch", "lnit", "tset (n=1)"]
[tasks.lint]
needs = ["build", "fetch"]
[tasks.fetch]
run = "x"
needs = ["lint"]
[tasks.test]
run = "{{ matrix.n }}"
matrix = { n = [1, 2] }
needs = ["test"]
"#
    ));
}

#[test]
fn of_variables() {
    insta::assert_snapshot!(toml(
        r#"[vars]
name = "x"
one = "{{ two }}"
two = "{{ one }}"
[tasks.a]
run = "echo {{ nmae }} {{ }} {{ .Name }} {{ name"
exec2 = 1
[tasks.b]
run = "echo {{ matrix.so }}"
matrix = { os = ["a"] }
[tasks.c]
exec = ["{{ matrix.os }}", "{{ nam\u0065s }}"]
"#
    ));
}

#[test]
fn of_values_where_a_shell_would_not_keep_them_whole() {
    insta::assert_snapshot!(toml(
        r##"[vars]
v = "x"
[tasks.t]
run = '''
echo '{{ v }}'
echo "{{ v }}"
echo `{{ v }}`
echo "$(echo {{ v }})"
echo ${x:-{{ v }}}
echo $((1 + {{ v }}))
echo ${{ v }}
echo \{{ v }}
# {{ v }}
cat <<{{ v }}
'''
[tasks.heredoc]
run = """
cat <<'END'
{{ v }}
END
echo {{ v }}
"""
[tasks.lost]
run = "echo $'a' {{ v }}"
"##
    ));
}

#[test]
fn of_arguments() {
    let text = "[vars]\nenv = \"test\"\n[tasks.a]\nrun = \"x\"\nneeds = [\"b\"]\n";
    let arguments = ["--evn=prod", "--env", "--x", "plain"];
    insta::assert_snapshot!(refused("ats.toml", Format::Toml, text, &arguments));
}

#[test]
fn of_what_is_not_toml() {
    insta::assert_snapshot!(toml(
        "[tasks.a]\nrun = \"a\nneeds = [\"b\"]\n[tasks.a]\nrun = 1\n"
    ));
}

#[test]
fn of_yaml() {
    insta::assert_snapshot!(yaml(
        "version: 1\ntasks:\n  ä: {run: !!str x, needs: [b]}\n  a: {run: x, run: y, timeout: 1.5.2}\n  ? [k]\n  : {run: x}\n  c: *a\n"
    ));
    insta::assert_snapshot!(yaml("tasks:\n  a: {run: x}\n---\ntasks: {}\n"));
    insta::assert_snapshot!(yaml("tasks:\n  a: &a {run: x, needs: *a}\n"));
    insta::assert_snapshot!(yaml("tasks:\n\ta: x\n"));
    insta::assert_snapshot!(yaml("- 1\n"));
    insta::assert_snapshot!(yaml(""));
}

#[test]
fn of_ninja_files() {
    insta::assert_snapshot!(ninja(
        r"rule cc
  command = cc $in
  comand = x
rule cc
  command = x
rule empty
rule self
  command = $description
  description = $command
biuld x: cc
 stray = 1
build a: c
build a b: cc a.c
build b: cc
build c: cc | d |@ e
build d cc
build : cc
build e: self
build f: cc $
build g: cc h
build h: cc i
build i: cc g
	tab = 1
pool p
  depth = -1
build j: cc
  pool = q
build k: cc
  dyndep = k.dd
build $empty: cc
default all
include absent.ninja
default
x = $
"
    ));
}

#[test]
fn of_unit_graphs() {
    let said = |text: &str| refused("units.json", Format::UnitGraph, text, &["--x", "1"]);
    insta::assert_snapshot!(said(r#"{"version": 2, "units": []}"#));
    insta::assert_snapshot!(said("{\"version\": 1,\n \"units\": [}"));
    insta::assert_snapshot!(said(
        r#"{"version": 1, "units": [
  {"pkg_id": "a#1", "mode": "build", "target": {"name": "a", "src_path": 1, "kind": ["lib"]}, "dependencies": [{"index": 1}]},
  {"pkg_id": "b#1", "mode": "build", "target": {"name": "b", "src_path": "", "kind": "lib"}, "dependencies": [{"index": 0}, {"index": 7}, {}]},
  7
], "roots": ["x", 9]}"#
    ));
}

/// What is said about the first of some files, without the name of the folder in which they are.
fn folder(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let failure = super::read(&folder.path().join(files[0].0), &[]).expect_err("it was taken");
    let crate::exit::Failure::Usage(said) = failure else {
        panic!("{failure:?}")
    };
    let said = anstream::adapter::strip_str(&said).to_string();
    said.replace(folder.path().to_str().unwrap(), "folder")
}

#[test]
fn of_includes() {
    insta::assert_snapshot!(folder(&[
        (
            "ats.toml",
            "include = [\"a.toml\", \"absent.toml\", \"x.ninja\", \".\"]\n[tasks.one]\nrun = \"x\"\n"
        ),
        (
            "a.toml",
            "include = { b = \"b.yaml\" }\nvars = { v = 1 }\n[tasks.one]\nrun = \"x\"\n"
        ),
        (
            "b.yaml",
            "include: [a.toml]\ntasks: {t: {run: 'x {{ w }}', needs: [nowhere]}}\n"
        ),
        ("x.ninja", ""),
    ]));
}

#[test]
fn of_files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ats.toml");
    fs::write(&path, b"[tasks.a]\nrun = \"\xff\"\n").unwrap();
    let said = format!("{:?}", super::read(&path, &[]).unwrap_err());
    assert!(said.contains("line 2: this is not UTF-8 text"), "{said}");
    let large = fs::File::create(&path).unwrap();
    large.set_len(super::load::SIZE_LIMIT + 1).unwrap();
    let said = format!("{:?}", super::read(&path, &[]).unwrap_err());
    assert!(said.contains("larger than 64 MiB"), "{said}");
}

#[test]
fn deep_nesting_exhausts_no_stack() {
    let deep = 200_000;
    let cases = [
        (Format::Toml, format!("a = {}", "[".repeat(deep))),
        (Format::Toml, format!("a = {}", "{a=".repeat(deep))),
        (Format::Toml, format!("{}a = 1", "a.".repeat(deep))),
        (Format::Toml, format!("[{}a]\nb = 1", "a.".repeat(deep))),
        (
            Format::Toml,
            format!(
                "{k} = {{ {k} = {{ {k} = 1 }} }}",
                k = vec!["a"; 79].join(".")
            ),
        ),
        (Format::Yaml, "[".repeat(deep)),
        (Format::Yaml, "{a: ".repeat(deep)),
        (Format::Yaml, "- ".repeat(deep)),
        (Format::Yaml, "? ".repeat(deep)),
        (Format::UnitGraph, "[".repeat(deep)),
        (Format::WfFormat, "{\"workflow\":".repeat(deep)),
    ];
    for (format, text) in cases {
        let read = super::parse(Path::new("deep"), text, format, &[]);
        assert!(read.is_err(), "{format}");
    }
}
