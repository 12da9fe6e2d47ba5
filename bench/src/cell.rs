//! One run of one row on one engine is a cell, and a process of its own: no
//! thread, allocation or stuck poll of an earlier run is left over, and a run
//! that crashes or hangs is a line in the report instead of the end of it.
//!
//! The child prints its readings as one line of JSON and exits without waiting
//! for whatever is still stuck in it.

use std::{
    io::{Read, Write},
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{groups, harness::Runner, options::CellArguments, plan::Reading, scale::Scale, work};

/// Runs cells in child processes.
pub(crate) struct Processes {
    scale: Scale,
}

impl Processes {
    pub(crate) fn new(scale: &Scale) -> Processes {
        Processes { scale: *scale }
    }

    fn start(&self, group: char, row: &str, engine: &str) -> Result<Child, String> {
        let mut command = own_program()?;
        command
            .arg("cell")
            .args(["--group", &group.to_string()])
            .args(["--row", row])
            .args(["--engine", engine]);
        if self.scale.quick {
            command.arg("--quick");
        }
        // Whatever ends this process closes the pipe, and that ends the cell and
        // then its helpers.
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the run could not be started: {error}"))
    }
}

impl Runner for Processes {
    fn run(&mut self, group: char, row: &str, engine: &str) -> Result<Vec<Reading>, String> {
        eprintln!("{group} {row}: {engine}");
        let mut child = self.start(group, row, engine)?;
        let output = output_within(&mut child, self.scale.limit());
        let _ = child.kill();
        let status = child.wait();
        let Some(output) = output else {
            return Err(format!("hung for {:?} and was ended", self.scale.limit()));
        };
        serde_json::from_str(&output).map_err(|_| match status {
            Ok(status) => format!("gave no readings and ended with {status}"),
            Err(error) => format!("gave no readings: {error}"),
        })
    }
}

/// This very program, to be started again as one of its helpers.
pub(crate) fn own_program() -> Result<Command, String> {
    std::env::current_exe()
        .map(Command::new)
        .map_err(|error| format!("this program cannot find itself: {error}"))
}

/// All that the child prints, or nothing if it has not ended in time.
fn output_within(child: &mut Child, limit: Duration) -> Option<String> {
    let mut pipe = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = String::new();
        let _ = pipe.read_to_string(&mut output);
        let _ = sender.send(output);
    });
    receiver.recv_timeout(limit).ok()
}

/// The child's side: runs the cell and prints what it read.
pub(crate) fn serve(cell: &CellArguments) -> ExitCode {
    work::exit_with_parent();
    let scale = Scale { quick: cell.quick };
    let Some(group) = groups::all().into_iter().find(|g| g.letter == cell.group) else {
        eprintln!("there is no group {}", cell.group);
        return ExitCode::FAILURE;
    };
    let readings = (group.run)(&cell.row, &cell.engine, scale);
    let line = serde_json::to_string(&readings).expect("readings are plain data");
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    // Not a return: an engine with a poll stuck in it would wait for that.
    std::process::exit(0)
}
