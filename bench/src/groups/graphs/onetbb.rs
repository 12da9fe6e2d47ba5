//! oneTBB's flow graph: a program in C++, compiled when it is first needed, where
//! there is a compiler and the library is installed (Debian: g++, libtbb-dev).

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    THREADS,
    clock::{Clock, Times},
    shape::Shape,
};
use crate::program;

const SOURCE: &str = include_str!("onetbb.cpp");

/// Whether it can be compiled here.
pub(super) fn is_there() -> bool {
    let headers = ["/usr/include", "/usr/local/include"].map(Path::new);
    let mut headers = headers.iter().map(|at| at.join("oneapi/tbb/flow_graph.h"));
    program::found("g++").is_some() && headers.any(|header| header.is_file())
}

/// Builds and runs the graph in the program.
pub(super) fn time(shape: &Shape, clock: &Clock) -> Times {
    let program = compiled().unwrap_or_else(|error| panic!("{error}"));
    let mut child = Command::new(program)
        .arg(THREADS.to_string())
        .arg(clock.warm_up.as_millis().to_string())
        .arg(clock.measure.as_millis().to_string())
        .arg(clock.fewest.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program was compiled");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(text(shape).as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it can be waited for");
    assert!(output.status.success(), "it ended with {}", output.status);
    times(&String::from_utf8_lossy(&output.stdout))
}

/// Beside this program, and again when the source is not what was compiled.
fn compiled() -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let [program, source] = ["onetbb", "onetbb.cpp"].map(|name| own.with_file_name(name));
    let same = |text: String| text == SOURCE;
    if program.is_file() && fs::read_to_string(&source).is_ok_and(same) {
        return Ok(program);
    }
    let unwritten = |error| format!("{} cannot be written: {error}", source.display());
    fs::write(&source, SOURCE).map_err(unwritten)?;
    let status = Command::new("g++")
        .args(["-std=c++17", "-O3", "-march=native", "-o"])
        .args([&program, &source])
        .arg("-ltbb")
        .status()
        .map_err(|error| format!("g++ could not be started: {error}"))?;
    if status.success() {
        Ok(program)
    } else {
        let _ = fs::remove_file(&source);
        Err("g++ could not compile onetbb.cpp".to_owned())
    }
}

fn text(shape: &Shape) -> String {
    let mut text = format!("{}\n", shape.len());
    for before in shape.nodes() {
        text += &before.len().to_string();
        for before in before {
            text += &format!(" {before}");
        }
        text.push('\n');
    }
    text
}

fn times(lines: &str) -> Times {
    let mut times = Times::default();
    for line in lines.lines() {
        let (what, time) = line.split_once(' ').expect("a word and a number");
        let time = time.parse().expect("a number");
        match what {
            "build" => times.builds.push(time),
            "run" => times.runs.push(time),
            other => panic!("{other} is no time"),
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_lines_of_what_each_node_runs_after() {
        let shape = Shape::named("tree").unwrap();
        assert!(text(&shape).starts_with("8191\n0\n1 0\n1 0\n1 1\n1 1\n"));
    }

    #[test]
    fn times_are_told_apart() {
        let times = times("build 30\nrun 20\nrun 10\n");
        assert_eq!((times.builds, times.runs), (vec![30.0], vec![20.0, 10.0]));
    }
}
