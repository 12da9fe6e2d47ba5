//! Rust sources without remarks and without what stands between quotes, so that
//! a rule about code is not broken by prose.

use std::iter::Peekable;
use std::str::Chars;

/// The code of each line; there are as many as the text has lines.
pub(super) fn lines(text: &str) -> Vec<String> {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        code: String::new(),
    };
    reader.read();
    reader.code.lines().map(str::to_owned).collect()
}

/// Whether `word` stands in `code`, not as a part of a longer name.
pub(super) fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let ends_a_name = word.ends_with(is_part_of_name);
        !(before.is_some_and(is_part_of_name) || ends_a_name && after.is_some_and(is_part_of_name))
    })
}

fn is_part_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    code: String,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(character) = self.rest.next() {
            match character {
                '/' if self.rest.peek() == Some(&'/') => self.skip_to_line_end(),
                '/' if self.rest.peek() == Some(&'*') => self.skip_block(),
                '"' => self.skip_string(),
                '\'' => self.skip_character(),
                'r' if !self.code.ends_with(is_part_of_name) || self.code.ends_with('b') => {
                    self.code.push('r');
                    self.skip_raw_string();
                }
                other => self.code.push(other),
            }
        }
    }

    /// Takes one character that is not code; line ends stay, so that lines
    /// keep their numbers.
    fn skip(&mut self) -> Option<char> {
        let character = self.rest.next();
        if character == Some('\n') {
            self.code.push('\n');
        }
        character
    }

    fn skip_to_line_end(&mut self) {
        while self.rest.peek().is_some_and(|next| *next != '\n') {
            self.rest.next();
        }
    }

    /// Block remarks nest.
    fn skip_block(&mut self) {
        let mut depth = 0;
        let mut before = '/';
        while let Some(character) = self.skip() {
            match (before, character) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    before = character;
                    continue;
                }
            }
            if depth == 0 {
                return;
            }
            // A character that opened or closed something does so only once.
            before = ' ';
        }
    }

    fn skip_string(&mut self) {
        while let Some(character) = self.skip() {
            match character {
                '\\' => drop(self.skip()),
                '"' => return,
                _ => {}
            }
        }
    }

    /// Tells a character from a lifetime, which has no quotation mark behind it.
    fn skip_character(&mut self) {
        let mut ahead = self.rest.clone();
        match ahead.next() {
            Some('\\') => {
                self.rest.next();
                self.rest.next();
                while self.rest.next().is_some_and(|character| character != '\'') {}
            }
            Some(_) if ahead.next() == Some('\'') => {
                self.rest.next();
                self.rest.next();
            }
            _ => self.code.push('\''),
        }
    }

    /// After an `r` that begins a name: is it `r"..."` or `r#"..."#`?
    fn skip_raw_string(&mut self) {
        let mut ahead = self.rest.clone();
        let mut hashes = 0;
        while ahead.next_if_eq(&'#').is_some() {
            hashes += 1;
        }
        if ahead.next() != Some('"') {
            return;
        }
        for _ in 0..=hashes {
            self.rest.next();
        }
        let mut seen = None;
        while let Some(character) = self.skip() {
            seen = match (character, seen) {
                ('"', _) => Some(0),
                ('#', Some(count)) => Some(count + 1),
                _ => None,
            };
            if seen == Some(hashes) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(lines(text), expected, "{text}");
    }

    #[test]
    fn remarks_are_not_code() {
        check("a(); // b()\n/// c\nd();", &["a(); ", "", "d();"]);
        check("a /* b /* c */ d */ e", &["a  e"]);
        check("a /* b\nc */ d", &["a ", " d"]);
    }

    #[test]
    fn strings_are_not_code_but_keep_their_lines() {
        check("a(\"b // \\\" c\"); d", &["a(); d"]);
        check("a(\"b\nc\"); d", &["a(", "); d"]);
        check("a(r#\"b \" c\"#); d", &["a(r); d"]);
        check("a(br\"b\\\"); d", &["a(br); d"]);
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        check("c == '\"' || c == '\\'' || d", &["c ==  || c ==  || d"]);
        check(
            "fn a<'b>(c: &'b str) { '/' }",
            &["fn a<'b>(c: &'b str) {  }"],
        );
    }

    #[test]
    fn names_with_an_r_stay_whole() {
        check(
            "for r#type in repair_r { rust }",
            &["for r#type in repair_r { rust }"],
        );
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use tokio::spawn;", "tokio"));
        assert!(!has_word("use tokio_util::codec;", "tokio"));
        assert!(!has_word("my_tokio()", "tokio"));
        assert!(has_word("let a = todo!(b);", "todo!("));
    }
}
