//! Progress on stderr: lines redrawn in place on a terminal, plain lines anywhere else.
//!
//! Owns which lines of progress are on the screen, so that whoever prints a whole line can have
//! them taken away first. It decides nothing about what is shown.
//!
//! Nothing is switched in the terminal that would have to be switched back: no cursor is hidden and
//! no other screen is used. So a killed process leaves the last progress behind, and no more. A
//! panic's message comes after the progress was taken away.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use unicode_width::UnicodeWidthStr;

/// The size taken where none can be found out.
const USUAL: Size = Size {
    width: 80,
    height: 24,
};

/// Lines of progress on the screen, for a panic's message and for a way out without destructors.
static LINES: AtomicUsize = AtomicUsize::new(0);

/// The size of a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

impl Size {
    /// That of the terminal behind stderr, or what is usual.
    #[must_use]
    pub fn of_stderr() -> Self {
        let size = terminal_size::terminal_size_of(stderr());
        size.map_or(USUAL, |(width, height)| Size {
            width: width.0.into(),
            height: height.0.into(),
        })
    }
}

/// Whether lines can be redrawn on stderr.
#[must_use]
pub fn is_live() -> bool {
    let term = std::env::var_os("TERM");
    let dumb = term.map_or(cfg!(unix), |term| term == "dumb");
    stderr().is_terminal() && !dumb
}

/// Whether the terminal shows more than ASCII, as far as the environment tells.
#[must_use]
pub fn shows_unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    // Where nothing is said, the systems of today do.
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Lines at the bottom of the terminal that say what is going on.
#[derive(Debug)]
pub struct LiveArea {
    live: bool,
    /// Whether anybody wants colours; asking costs as much as printing.
    colours: bool,
    /// How many columns each line on the screen takes.
    shown: Vec<usize>,
    last: String,
    /// Whole lines that are to be printed together; only where nothing is redrawn.
    held: Option<String>,
}

impl LiveArea {
    /// An area on stderr; where it is not `live`, only whole lines are printed.
    #[must_use]
    pub fn on_stderr(live: bool) -> Self {
        if live {
            tidy_up_before_panics();
        }
        LiveArea {
            live,
            colours: wants_colours(),
            shown: Vec::new(),
            last: String::new(),
            held: None,
        }
    }

    /// Holds whole lines back until [`LiveArea::let_go`], since printing them one by one costs more.
    /// Where lines are redrawn there is no such hurry.
    pub fn hold(&mut self) {
        if !self.live {
            self.held = Some(String::new());
        }
    }

    /// Prints what was held back, and holds nothing back any more.
    pub fn let_go(&mut self) {
        self.print_held();
        self.held = None;
    }

    fn print_held(&mut self) {
        if let Some(held) = self.held.as_mut().filter(|held| !held.is_empty()) {
            put(held, self.colours);
            held.clear();
        }
    }

    /// Whether lines can be redrawn, and `draw` does anything.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Draws these lines in place of those drawn before. None may be wider than the terminal.
    pub fn draw(&mut self, lines: &[String]) {
        if !self.live {
            return;
        }
        let text = lines.join("\x1b[0m\x1b[K\n");
        let widths: Vec<usize> = lines.iter().map(|line| columns(line)).collect();
        if self.shown == widths && self.last == text {
            return;
        }
        let top = self.back_to_top();
        self.shown = widths;
        self.last = text;
        self.put_last(&top);
    }

    /// Draws what was drawn last, if it was taken away since.
    pub fn draw_again(&mut self) {
        if self.live && self.shown.is_empty() && !self.last.is_empty() {
            self.shown = self.last.lines().map(columns).collect();
            self.put_last("");
        }
    }

    fn put_last(&self, top: &str) {
        LINES.store(self.lines(), Ordering::Relaxed);
        // The terminal shows all of it at once, if it knows how; others ignore that.
        let frame = format!("\x1b[?2026h{top}{}\x1b[0m\x1b[J\x1b[?2026l", self.last);
        put(&frame, self.colours);
    }

    /// Takes the lines away, so that something else can be printed, and prints what was held back.
    pub fn clear(&mut self) {
        self.print_held();
        if !self.shown.is_empty() {
            put(&format!("{}\x1b[J", self.back_to_top()), true);
            self.shown.clear();
            LINES.store(0, Ordering::Relaxed);
        }
    }

    /// Whether lines are on the screen now.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.shown.is_empty()
    }

    /// Prints whole lines on stderr, above the area.
    pub fn print(&mut self, text: &str) {
        if let Some(held) = &mut self.held {
            held.push_str(text);
            held.push('\n');
            return;
        }
        self.clear();
        put(&format!("{text}\n"), self.colours);
    }

    /// A terminal that has become narrower has wrapped what was drawn.
    fn lines(&self) -> usize {
        let width = Size::of_stderr().width.max(1);
        self.shown
            .iter()
            .map(|columns| columns.div_ceil(width).max(1))
            .sum()
    }

    fn back_to_top(&self) -> String {
        back_to_top(self.lines())
    }
}

impl Drop for LiveArea {
    fn drop(&mut self) {
        self.clear();
    }
}

fn columns(line: &str) -> usize {
    anstream::adapter::strip_str(line).to_string().width()
}

/// Moves the cursor from the end of so many lines to their beginning.
fn back_to_top(lines: usize) -> String {
    let mut codes = String::new();
    if lines > 0 {
        codes.push('\r');
    }
    if lines > 1 {
        let _ = write!(codes, "\x1b[{}A", lines - 1);
    }
    codes
}

fn wants_colours() -> bool {
    anstream::AutoStream::choice(&stderr()) != anstream::ColorChoice::Never
}

/// Colours go if nobody wants them, what moves the cursor stays.
fn put(text: &str, colours: bool) {
    let plain = (!colours).then(|| without_colours(text));
    // Losing sight of the progress is no reason to stop the work.
    let mut stderr = stderr().lock();
    let _ = stderr.write_all(plain.as_deref().unwrap_or(text).as_bytes());
    let _ = stderr.flush();
}

/// Takes away the codes `ESC [ ... m`.
fn without_colours(frame: &str) -> String {
    let mut parts = frame.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !(c.is_ascii_digit() || c == ';'));
        match end {
            Some(end) if part[end..].starts_with('m') => plain.push_str(&part[end + 1..]),
            _ => {
                plain.push_str("\x1b[");
                plain.push_str(part);
            }
        }
    }
    plain
}

/// Takes the lines away from any thread, before the process ends without destructors.
pub fn tidy_up() {
    let lines = LINES.swap(0, Ordering::Relaxed);
    if lines > 0 {
        put(&format!("{}\x1b[J", back_to_top(lines)), true);
    }
}

/// Ends a line of progress that another process has left unfinished.
pub fn begin_a_line() {
    if is_live() {
        put("\x1b[0m\n", true);
    }
}

fn tidy_up_before_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            tidy_up();
            usual(panic);
        }));
    });
}

/// The line at the bottom of the terminal that says what is going on.
#[derive(Debug)]
pub struct StatusLine(LiveArea);

impl StatusLine {
    /// A status line on stderr, live only where it can be redrawn.
    #[must_use]
    pub fn on_stderr() -> Self {
        StatusLine(LiveArea::on_stderr(is_live()))
    }

    /// Whether the line can be redrawn, and `show` does anything.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.0.is_live()
    }

    /// Draws the line in place of what it showed before.
    pub fn show(&mut self, text: &str) {
        let width = Size::of_stderr().width.saturating_sub(1);
        self.0.draw(&[crate::text::cut(text, width)]);
    }

    /// Prints a whole line on stderr, above the status line.
    pub fn print(&mut self, text: &str) {
        self.0.print(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_are_taken_away() {
        assert_eq!(
            without_colours("\r\x1b[2A\x1b[1;31mred\x1b[0m\x1b[K\n\x1b[?2026lend\x1b[J"),
            "\r\x1b[2Ared\x1b[K\n\x1b[?2026lend\x1b[J"
        );
    }

    #[test]
    fn the_cursor_goes_back_as_far_as_lines_were_drawn() {
        assert_eq!(back_to_top(0), "");
        assert_eq!(back_to_top(1), "\r");
        assert_eq!(back_to_top(3), "\r\x1b[2A");
    }
}
