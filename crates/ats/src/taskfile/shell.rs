//! Where in shell text a value may be put so that it stays one word: nowhere but outside of all
//! quotes, where a word in single quotes is data to every POSIX shell. Pure.
//!
//! [`Scanner`] follows the text character by character and knows at each point what is open:
//! quotes, `$(`, `${`, `$((`, backquotes, comments and here-documents. It need not know all of the
//! grammar. Where shells differ, or where only a whole parser could tell what ends where, it gives
//! up, and from there on no value is let in. What it must never do is to believe itself outside of
//! quotes when a shell does not.

/// Why no value can stand at a place.
pub type Refusal = &'static str;

/// A value as one word of the shell.
#[must_use]
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// What is open, innermost last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Open {
    /// `$(`, with how many parentheses are open in it.
    Command {
        parentheses: u32,
    },
    Single,
    Double,
    Backquote,
    /// `${`
    Parameter,
    /// `$((`, with how many parentheses are open.
    Arithmetic {
        parentheses: u32,
    },
}

/// A here-document whose lines have not come yet.
#[derive(Debug, Default)]
struct Heredoc {
    end: String,
    strip_tabs: bool,
    quote: Option<char>,
    /// The closing quote of the delimiter has been met.
    closed: bool,
}

/// Follows shell text.
#[derive(Debug, Default)]
pub struct Scanner {
    open: Vec<Open>,
    /// A backslash has just been met.
    escaped: bool,
    /// The characters of the word that goes on here; `Some` inside of a word.
    word: Option<String>,
    comment: bool,
    /// A parenthesis has just been opened in the middle of a word.
    attached: bool,
    /// The last character, if it was not escaped.
    last: Option<char>,
    /// `<` in a row.
    angles: u32,
    /// The delimiter that is being read.
    delimiter: Option<Heredoc>,
    pending: Vec<Heredoc>,
    /// The line so far of the here-document that is being read.
    line: Option<String>,
    lost: Option<Refusal>,
}

impl Scanner {
    /// Whether a value can be put here; afterwards the scanner stands behind it.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn value(&mut self) -> Result<(), Refusal> {
        self.standing()?;
        self.last = Some('\'');
        self.angles = 0;
        // No keyword has quotes in it.
        self.word.get_or_insert_default().push('\'');
        Ok(())
    }

    fn standing(&self) -> Result<(), Refusal> {
        if let Some(lost) = self.lost {
            return Err(lost);
        }
        if self.line.is_some() {
            return Err("inside a here-document");
        }
        if self.delimiter.is_some() || self.angles == 2 {
            return Err("as the end of a here-document");
        }
        if self.comment {
            return Err("inside a comment");
        }
        for open in &self.open {
            match open {
                Open::Command { .. } => {}
                Open::Single => return Err("inside single quotes"),
                Open::Double => return Err("inside double quotes"),
                Open::Backquote => return Err("inside backquotes"),
                Open::Parameter => return Err("inside `${`"),
                Open::Arithmetic { .. } => return Err("inside `$((`"),
            }
        }
        match self.last {
            _ if self.attached => Err("behind a `(` in a word"),
            _ if self.escaped => Err("behind a backslash"),
            Some('$') => Err("behind a `$`"),
            _ => Ok(()),
        }
    }

    /// Follows a stretch of text.
    pub fn follow(&mut self, text: &str) {
        for c in text.chars() {
            if self.lost.is_some() {
                return;
            }
            self.step(c);
        }
    }

    fn lose(&mut self, why: Refusal) {
        self.lost = Some(why);
    }

    fn step(&mut self, c: char) {
        if self.line.is_some() {
            return self.heredoc(c);
        }
        if self.delimiter.is_some() {
            return self.delimit(c);
        }
        let last = if self.escaped { None } else { self.last };
        match self.open.last().copied() {
            None | Some(Open::Command { .. }) => self.plain(c, last),
            Some(Open::Single) => self.single(c),
            Some(Open::Double) => self.double(c, last),
            Some(Open::Backquote) => self.backquote(c),
            Some(Open::Parameter) => self.parameter(c, last),
            Some(Open::Arithmetic { parentheses }) => self.arithmetic(c, parentheses),
        }
    }

    fn plain(&mut self, c: char, last: Option<char>) {
        if self.comment {
            if c != '\n' {
                return;
            }
            self.comment = false;
        }
        if std::mem::take(&mut self.escaped) {
            // An escaped newline is nothing at all: the word goes on, and so does `<`.
            if c != '\n' {
                self.last = None;
                self.angles = 0;
                // No keyword has a backslash in it.
                self.word.get_or_insert_default().push('\\');
            } else if self.last == Some('$') || self.angles > 0 {
                self.lose("behind an escaped newline that divides an operator");
            }
            return;
        }
        if std::mem::take(&mut self.attached) && c != ')' {
            return self.lose("behind a `(` in a word, which shells read differently");
        }
        if self.angles == 2 && c != '<' {
            self.angles = 0;
            return self.begin_delimiter(c);
        }
        if c == '\\' {
            self.escaped = true;
            return;
        }
        self.last = Some(c);
        self.angles = if c == '<' { (self.angles + 1) % 3 } else { 0 };
        match c {
            '\'' if last == Some('$') => self.lose("behind `$'`, which shells read differently"),
            '[' if last == Some('$') => self.lose("behind `$[`, which shells read differently"),
            '\'' => self.enter(Open::Single),
            '"' => self.enter(Open::Double),
            '`' => self.enter(Open::Backquote),
            '{' if last == Some('$') => self.enter(Open::Parameter),
            '(' if last == Some('$') => self.enter(Open::Command { parentheses: 0 }),
            '(' => self.open_parenthesis(last),
            ')' => self.close_parenthesis(),
            '#' if self.word.is_none() => self.comment = true,
            ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' => self.end_word(c),
            _ => self.word.get_or_insert_default().push(c),
        }
    }

    /// Something begins that is part of a word.
    fn enter(&mut self, open: Open) {
        self.word.get_or_insert_default().push('\'');
        self.open.push(open);
        self.last = Some(match open {
            Open::Command { .. } => '(',
            _ => ' ',
        });
        if matches!(open, Open::Command { .. }) {
            self.word = None;
        }
    }

    fn leave(&mut self) {
        self.open.pop();
        self.last = None;
        self.word.get_or_insert_default().push('\'');
    }

    fn open_parenthesis(&mut self, last: Option<char>) {
        if last == Some('(') {
            // Behind `$(` it is arithmetic, or a subshell: shells find out by trying.
            match self.open.last_mut() {
                Some(open @ Open::Command { parentheses: 0 }) => {
                    *open = Open::Arithmetic { parentheses: 2 };
                }
                _ => self.lose("behind `((`, which shells read differently"),
            }
            return;
        }
        // A function, or a pattern of some shells, in which `#` may or may not be a comment.
        self.attached = self.word.is_some();
        self.end_word('(');
        if let Some(Open::Command { parentheses }) = self.open.last_mut() {
            *parentheses += 1;
        }
    }

    fn close_parenthesis(&mut self) {
        self.end_word(')');
        match self.open.last_mut() {
            Some(Open::Command { parentheses: 0 }) => self.leave(),
            Some(Open::Command { parentheses }) => *parentheses -= 1,
            // At the outermost level it ends nothing that we count.
            _ => {}
        }
    }

    fn end_word(&mut self, by: char) {
        let word = self.word.take();
        if !self.open.is_empty() && word.as_deref() == Some("case") {
            self.lose("behind a `case` in `$(`, whose `)` may close either");
        }
        if by == '\n' && !self.pending.is_empty() {
            if !self.open.is_empty() {
                return self.newline_inside();
            }
            self.line = Some(String::new());
        }
    }

    fn single(&mut self, c: char) {
        match c {
            '\'' => self.leave(),
            '\n' => self.newline_inside(),
            _ => {}
        }
    }

    fn double(&mut self, c: char, last: Option<char>) {
        if c == '\n' {
            self.newline_inside();
        }
        if std::mem::take(&mut self.escaped) {
            if c == '\n' && self.last == Some('$') {
                self.lose("behind an escaped newline that divides an operator");
            }
            self.last = None;
            return;
        }
        if c == '\\' {
            self.escaped = true;
            return;
        }
        self.last = Some(c);
        match c {
            '"' => self.leave(),
            '`' => self.enter(Open::Backquote),
            '{' if last == Some('$') => self.enter(Open::Parameter),
            '(' if last == Some('$') => self.enter(Open::Command { parentheses: 0 }),
            '[' if last == Some('$') => self.lose("behind `$[`, which shells read differently"),
            _ => {}
        }
    }

    fn backquote(&mut self, c: char) {
        match c {
            '`' => self.leave(),
            '\'' | '"' | '\\' | '#' | '$' => {
                self.lose("behind backquotes with quotes or `$` in them");
            }
            '\n' => self.newline_inside(),
            _ => {}
        }
    }

    fn parameter(&mut self, c: char, last: Option<char>) {
        self.last = Some(c);
        match c {
            '}' => self.leave(),
            '{' if last == Some('$') => self.enter(Open::Parameter),
            '\'' | '"' | '`' | '\\' | '(' | '[' | '\n' => {
                self.lose("behind `${` with quotes or commands in it");
            }
            _ => {}
        }
    }

    fn arithmetic(&mut self, c: char, parentheses: u32) {
        let parentheses = match c {
            '(' => parentheses + 1,
            ')' => parentheses - 1,
            '\'' | '"' | '`' | '\\' | '#' | '\n' | '{' | '[' => {
                return self.lose("behind `$((` with quotes in it");
            }
            _ => parentheses,
        };
        if parentheses == 0 {
            self.leave();
        } else if let Some(open) = self.open.last_mut() {
            *open = Open::Arithmetic { parentheses };
        }
    }

    fn newline_inside(&mut self) {
        if !self.pending.is_empty() {
            self.lose("behind a here-document that begins amid quotes");
        }
    }

    fn begin_delimiter(&mut self, c: char) {
        if !self.open.is_empty() {
            return self.lose("behind a here-document in `$(`");
        }
        let strip_tabs = c == '-';
        self.word = None;
        self.delimiter = Some(Heredoc {
            strip_tabs,
            ..Heredoc::default()
        });
        if !strip_tabs {
            self.delimit(c);
        }
    }

    fn delimit(&mut self, c: char) {
        let Some(heredoc) = &mut self.delimiter else {
            return;
        };
        let begun = heredoc.quote.is_some() || !heredoc.end.is_empty();
        match c {
            ' ' | '\t' if !begun => {}
            '\'' | '"' if !begun => heredoc.quote = Some(c),
            '\'' | '"' if heredoc.quote == Some(c) && !heredoc.closed => heredoc.closed = true,
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '-' if !heredoc.closed => {
                heredoc.end.push(c);
            }
            ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>'
                if !heredoc.end.is_empty() && heredoc.closed == heredoc.quote.is_some() =>
            {
                self.pending.extend(self.delimiter.take());
                self.last = None;
                self.step(c);
            }
            _ => self.lose("behind a here-document whose end is not a plain word"),
        }
    }

    fn heredoc(&mut self, c: char) {
        let Some(line) = &mut self.line else { return };
        if c != '\n' {
            line.push(c);
            return;
        }
        let line = std::mem::take(line);
        let Some(heredoc) = self.pending.first() else {
            self.line = None;
            return;
        };
        if line.ends_with('\\') && heredoc.quote.is_none() {
            return self.lose("behind a here-document with a line that goes on");
        }
        let stripped = if heredoc.strip_tabs {
            line.trim_start_matches('\t')
        } else {
            &line
        };
        if stripped == heredoc.end {
            self.pending.remove(0);
            if self.pending.is_empty() {
                self.line = None;
                self.last = Some('\n');
            }
        }
    }
}
