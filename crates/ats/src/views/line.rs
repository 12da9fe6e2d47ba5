//! Pure: one line of the screen, never wider than the screen is.

use std::fmt::Write;

use anstyle::Style;

use crate::text::{columns, cut};

/// A line that is being written, from the left.
#[derive(Clone, Debug)]
pub struct Line {
    text: String,
    left: usize,
    width: usize,
}

impl Line {
    /// An empty line with room for so many columns.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Line {
            text: String::new(),
            left: width,
            width,
        }
    }

    /// How many columns are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// Adds text, or as much of it as there is room for.
    pub fn add(&mut self, style: Style, text: &str) -> &mut Self {
        let text = cut(text, self.left);
        self.left -= columns(&text);
        let _ = write!(self.text, "{style}{text}{style:#}");
        self
    }

    /// Adds text without a style.
    pub fn plain(&mut self, text: &str) -> &mut Self {
        self.add(Style::new(), text)
    }

    /// Adds text only if there is room for all of it; tells whether there was.
    pub fn add_whole(&mut self, style: Style, text: &str) -> bool {
        let fits = columns(text) <= self.left;
        if fits {
            self.add(style, text);
        }
        fits
    }

    /// Goes on at this column, if it is not already beyond it.
    pub fn tab(&mut self, column: usize) -> &mut Self {
        let at = self.width - self.left;
        self.plain(&" ".repeat(column.saturating_sub(at)))
    }

    /// The line, without blanks at its end.
    #[must_use]
    pub fn finish(&self) -> String {
        self.text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_never_wider_than_the_screen() {
        let mut line = Line::new(8);
        line.plain("abc").tab(5).plain("defgh").plain("i");
        assert_eq!(line.finish(), "abc  de…");
        assert!(!line.add_whole(Style::new(), "x"));
    }
}
