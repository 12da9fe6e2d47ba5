//! The colours and signs of all views, each with one meaning.

use anstyle::{AnsiColor, Color, Style};

/// What matters most in its line.
pub const BOLD: Style = Style::new().bold();
/// What is there for those who look for it.
pub const FAINT: Style = Style::new().dimmed();
/// Something went well.
pub const GOOD: Style = colour(AnsiColor::Green);
/// Something failed.
pub const BAD: Style = colour(AnsiColor::Red).bold();
/// Something is not as usual.
pub const WARN: Style = colour(AnsiColor::Yellow);
/// What decides how long the run takes.
pub const CRITICAL: Style = colour(AnsiColor::Cyan).bold();

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

/// The signs of the live display.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signs {
    /// The part of the bar that is done.
    pub done: char,
    /// The part of the bar that is not.
    pub open: char,
    /// Before a task that runs.
    pub running: &'static str,
    /// Before a task that runs and lies on the critical path.
    pub critical: &'static str,
    /// Before a task that is paused.
    pub paused: &'static str,
    /// Before a failure.
    pub failed: &'static str,
    /// Between tasks of a path.
    pub then: &'static str,
}

/// For terminals that show Unicode.
pub const UNICODE: Signs = Signs {
    done: '━',
    open: '╌',
    running: "  ",
    critical: "▸ ",
    paused: "‖ ",
    failed: "✗ ",
    then: " › ",
};

/// For all others.
pub const ASCII: Signs = Signs {
    done: '#',
    open: '.',
    running: "  ",
    critical: "* ",
    paused: "= ",
    failed: "x ",
    then: " > ",
};
