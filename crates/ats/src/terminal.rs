//! Progress on stderr: one line redrawn in place on a terminal, plain lines anywhere else.
//!
//! Owns what of the status line is on the screen, so that whoever prints a whole line can have it
//! cleared first. It decides nothing about what is shown.

use std::io::{IsTerminal, Write, stderr};

/// The line at the bottom of the terminal that says what is going on.
#[derive(Debug)]
pub struct StatusLine {
    live: bool,
    shown: bool,
}

impl StatusLine {
    /// A status line on stderr, live only where it can be redrawn.
    #[must_use]
    pub fn on_stderr() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        StatusLine {
            live: stderr().is_terminal() && !dumb,
            shown: false,
        }
    }

    /// Whether the line can be redrawn, and `show` does anything.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Draws the line in place of what it showed before.
    pub fn show(&mut self, text: &str) {
        if !self.live {
            return;
        }
        let width = terminal_size::terminal_size_of(stderr()).map_or(80, |(width, _)| width.0);
        let line = shorten(text, usize::from(width).saturating_sub(1));
        // Losing sight of the progress is no reason to stop the work.
        let _ = write!(stderr(), "\r\x1b[2K{line}");
        let _ = stderr().flush();
        self.shown = true;
    }

    /// Takes the line away, so that whole lines can be printed.
    pub fn clear(&mut self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[2K");
            let _ = stderr().flush();
            self.shown = false;
        }
    }

    /// Prints a whole line on stderr, above the status line.
    pub fn print(&mut self, text: &str) {
        self.clear();
        let _ = writeln!(anstream::stderr(), "{text}");
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// At most `width` characters, with an ellipsis where something was cut off.
fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_to_the_width() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abcde…");
        assert_eq!(shorten("äöü", 2), "ä…");
    }
}
