//! What people see of a run, and what is kept of it: told by notes, it keeps the state, and hands
//! each event to those who asked for it.
//!
//! What tasks print goes to stdout, each task's undivided; everything else goes to stderr. With
//! `--output json` everything goes to stdout, and only warnings to stderr.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::note::{Event, Note};
use super::output::Output;
use crate::exit::{Exit, Failure};
use crate::input::shown;
use crate::taskfile::model::TaskFile;
use crate::terminal::{self, LiveArea, Size};
use crate::views::json::Stream;
use crate::views::logs::Logs;
use crate::views::options::{Mode, ViewOptions};
use crate::views::plain;
use crate::views::profile::Profile;
use crate::views::screen::{Look, screen};
use crate::views::state::State;
use crate::views::style::{ASCII, UNICODE, WARN};
use crate::views::summary::{Totals, is_worth_resuming, summary};
use crate::views::tasks::{Tasks, number, shape};
use crate::views::trace::trace;

/// A picture that is so new is shown again after a line was printed above it.
const SOON: Duration = Duration::from_millis(30);

/// A log in which nothing is written for so long gets a sign of life.
const SILENCE: Duration = Duration::from_secs(60);

/// Shows a run while it goes on, sums it up, and keeps what is to be kept.
#[derive(Debug)]
pub struct Report {
    state: State,
    area: LiveArea,
    /// With `--output json`.
    stream: Option<Stream>,
    logs: Option<Logs>,
    trace: Option<Kept>,
    profile: Profile,
    can_be_resumed: bool,
    start: Instant,
    last_line: Instant,
    drawn: Instant,
    /// Stdout was closed by whoever read it.
    closed: bool,
}

impl Report {
    /// For a run of this file's tasks, so many at once, that begins now; `run` is its name, if it
    /// can be resumed.
    ///
    /// # Errors
    ///
    /// A file or directory that was asked for cannot be made.
    pub fn open(
        options: &ViewOptions,
        file: &TaskFile,
        jobs: usize,
        run: Option<&str>,
    ) -> Result<Self, Failure> {
        let (profile, warning) = Profile::open(options, &file.source);
        let tasks = Tasks::of(file, shape(&file.tasks), profile.durations(), jobs);
        let live = match options.output {
            Mode::Auto => terminal::is_live(),
            Mode::Live => true,
            Mode::Plain | Mode::Json => false,
        };
        let mut report = Report {
            state: State::of(tasks),
            area: LiveArea::on_stderr(live),
            stream: (options.output == Mode::Json).then(Stream::default),
            logs: options.log_dir.as_deref().map(logs).transpose()?,
            trace: options.trace.as_deref().map(Kept::create).transpose()?,
            profile,
            can_be_resumed: run.is_some(),
            start: Instant::now(),
            last_line: Instant::now(),
            drawn: Instant::now(),
            closed: false,
        };
        if let Some(warning) = warning {
            report.warn(&warning);
        }
        if report.stream.is_some() {
            let beginning = Stream::beginning(&file.source, run, report.state.tasks());
            report.put(beginning.as_bytes());
        }
        Ok(report)
    }

    /// How long each task is expected to take, in the order of the file.
    #[must_use]
    pub fn expected(&self) -> Vec<Duration> {
        let tasks = self.state.tasks().iter();
        tasks.map(|(_, known)| known.guess.mean).collect()
    }

    /// What has happened so far.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether [`Event::Output`] is worth telling.
    #[must_use]
    pub fn wants_output(&self) -> bool {
        self.stream.is_some() || self.logs.is_some()
    }

    /// Takes in several things that have happened, and prints what is worth it, at once if it can.
    pub fn take_all(&mut self, notes: impl Iterator<Item = Note>) {
        self.area.hold();
        for note in notes {
            self.take(note);
        }
        self.area.let_go();
    }

    /// Takes in what has happened, and prints what is worth it.
    pub fn take(&mut self, mut note: Note) {
        let shown = self.area.is_shown();
        self.state.take(&mut note);
        if let Some(stream) = &mut self.stream {
            let lines = stream.lines(self.state.tasks(), &note);
            self.put(lines.as_bytes());
        } else if let Some(line) = plain::line(&self.state, &note.event, self.area.is_live()) {
            self.print(&line);
        }
        self.log(&note.event);
        if let (Event::Ended { mut output, .. }, None) = (note.event, &self.stream) {
            self.print_output(&mut output);
        }
        if shown && !self.area.is_shown() {
            // Otherwise it would flicker: the next time to draw comes later. A new picture for
            // each event would cost too much.
            if self.drawn.elapsed() >= SOON {
                self.draw();
            } else {
                self.area.draw_again();
            }
        }
    }

    fn log(&mut self, event: &Event) {
        let Some(logs) = &mut self.logs else { return };
        let kept = match event {
            Event::Started { task, attempt, .. } => {
                let known = self.state.tasks().get(number(*task));
                match known.gathers {
                    true => Ok(()),
                    false => logs.started(*task, &known.name, *attempt),
                }
            }
            Event::Output { task, bytes } => logs.printed(*task, bytes),
            Event::Ended { task, .. } => {
                logs.ended(*task);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = kept {
            let directory = shown(logs.directory());
            self.logs = None;
            self.warn(&format!(
                "{directory}: logs cannot be written any more: {error}"
            ));
        }
    }

    /// Shows how the run stands now; to be called about ten times in a second.
    pub fn draw(&mut self) {
        self.drawn = Instant::now();
        if self.area.is_live() {
            let size = Size::of_stderr();
            let look = Look {
                // A full last column makes some terminals begin a new line.
                width: size.width.saturating_sub(1),
                height: size.height,
                signs: if terminal::shows_unicode() {
                    UNICODE
                } else {
                    ASCII
                },
            };
            self.area
                .draw(&screen(&self.state, self.start.elapsed(), look));
        } else if self.stream.is_none() && self.last_line.elapsed() >= SILENCE {
            let line = plain::still(&self.state, self.start.elapsed());
            self.last_line = Instant::now();
            line.into_iter().for_each(|line| self.print(&line));
        }
    }

    /// Sums the run up and keeps what is to be kept; returns how the process ends. A signal that
    /// ended the run decides that.
    pub fn finish(&mut self, signal: Option<Exit>) -> Exit {
        let took = self.start.elapsed();
        let exit = signal.unwrap_or_else(|| self.state.exit());
        if self.stream.is_some() {
            let end = Stream::end(&Totals::of(&self.state), exit, took);
            self.put(end.as_bytes());
        } else {
            let mut summary = summary(&self.state, took);
            if self.can_be_resumed && is_worth_resuming(&self.state) {
                summary.push_str("; --resume goes on from here");
            }
            self.print(&summary);
        }
        if let Some(kept) = self.trace.take()
            && let Err(warning) = kept.write(trace(&self.state, took).as_bytes())
        {
            self.warn(&warning);
        }
        if let Err(error) = self.profile.learn(&self.state.taught()) {
            self.warn(&format!("learned durations cannot be kept: {error}"));
        }
        exit
    }

    fn print(&mut self, text: &str) {
        self.area.print(text);
        self.last_line = Instant::now();
    }

    fn warn(&mut self, what: &str) {
        self.print(&format!("{WARN}warning:{WARN:#} {what}"));
    }

    /// The whole output of a task, as it was, undivided.
    fn print_output(&mut self, output: &mut Output) {
        if self.closed || output.is_empty() {
            return;
        }
        self.area.clear();
        let mut out = io::stdout().lock();
        let copied = output.copy(&mut out).and_then(|last| {
            // So that on a terminal the next line does not stick to an unfinished one.
            if out.is_terminal() && last.is_some_and(|last| last != b'\n') {
                out.write_all(b"\n")?;
            }
            out.flush()
        });
        drop(out);
        self.printed(copied);
    }

    /// Lines on stdout.
    fn put(&mut self, lines: &[u8]) {
        if !self.closed && !lines.is_empty() {
            let mut out = io::stdout().lock();
            let put = out.write_all(lines).and_then(|()| out.flush());
            drop(out);
            self.printed(put);
        }
    }

    fn printed(&mut self, printed: io::Result<()>) {
        let Err(error) = printed else { return };
        // The tasks' work is worth finishing even if nobody reads about it.
        self.closed = true;
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.warn(&format!("output cannot be printed any more: {error}"));
        }
    }
}

fn logs(directory: &std::path::Path) -> Result<Logs, Failure> {
    Logs::open(directory).map_err(|error| unwritable(directory, &error))
}

fn unwritable(path: &std::path::Path, error: &io::Error) -> Failure {
    let path = shown(path);
    Failure::Usage(format!(
        "error: {path}: cannot be written to: {error}\n  help: name a place that is yours to write to"
    ))
}

/// A file that is written at the end, and was known to be possible at the beginning.
#[derive(Debug)]
struct Kept {
    path: std::path::PathBuf,
    file: tempfile::NamedTempFile,
}

impl Kept {
    fn create(path: &std::path::Path) -> Result<Self, Failure> {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let directory = parent.unwrap_or(std::path::Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".ats-")
            .tempfile_in(directory);
        Ok(Kept {
            path: path.to_owned(),
            file: file.map_err(|error| unwritable(path, &error))?,
        })
    }

    /// Nobody sees half of it.
    fn write(mut self, content: &[u8]) -> Result<(), String> {
        let written = self.file.write_all(content);
        let kept =
            written.and_then(|()| self.file.persist(&self.path).map_err(|error| error.error));
        kept.map(drop)
            .map_err(|error| format!("{}: cannot be written: {error}", shown(&self.path)))
    }
}
