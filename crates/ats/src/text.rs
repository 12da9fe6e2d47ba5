//! Words and numbers for people: what comes from files made harmless, durations, nearest names.

use std::borrow::Cow;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Text from a file or an argument, with everything escaped that could steer a terminal.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(steers) {
        let escaped = text.chars().map(|c| {
            if steers(c) {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        });
        Cow::Owned(escaped.collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters, and the invisible ones that change the direction of writing.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How many columns a text takes.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.width()
}

/// A text that takes at most so many columns, with an ellipsis where something was cut off.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    if columns(text) <= limit {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut left = limit.saturating_sub(1);
    for character in text.chars() {
        let width = character.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        short.push(character);
    }
    if limit > 0 {
        short.push('…');
    }
    short
}

/// A duration with three significant figures and a unit that suits it.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 600.0 {
        let whole = duration.as_secs();
        return format!(
            "{}:{:02}:{:02} h",
            whole / 3600,
            whole / 60 % 60,
            whole % 60
        );
    }
    let (number, unit) = if seconds >= 0.9995 {
        (seconds, "s")
    } else if seconds >= 0.000_999_5 {
        (seconds * 1e3, "ms")
    } else {
        (seconds * 1e6, "µs")
    };
    let decimals = match number {
        n if n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.decimals$} {unit}")
}

/// A duration as on a clock that is looked at while it runs: whole seconds from ten on.
#[must_use]
pub fn clock(duration: Duration) -> String {
    let (seconds, tenths) = (duration.as_secs(), duration.subsec_millis() / 100);
    match seconds {
        0..10 => format!("{seconds}.{tenths} s"),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!(
            "{}:{:02}:{:02} h",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}

/// `1 task`, `2 tasks`.
#[must_use]
pub fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// A number with its thousands apart: `10,000`.
#[must_use]
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The candidate that was probably meant, if one is near enough to be worth naming.
#[must_use]
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wrong.chars().count();
    let allowed = (length / 3).max(1);
    candidates
        .into_iter()
        // The distance is at least the difference in length, which is far quicker to know.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (distance(wrong, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn distance(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_steer_the_terminal() {
        assert_eq!(printable("plain ü"), "plain ü");
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("x\u{202e}y"), "x\\u{202e}y");
    }

    #[test]
    fn durations_have_three_figures() {
        let cases = [
            (0, "0.00 µs"),
            (999_400, "999 µs"),
            (999_600, "1.00 ms"),
            (12_340_000, "12.3 ms"),
            (999_700_000, "1.00 s"),
            (59_960_000_000, "60.0 s"),
            (599_000_000_000, "599 s"),
            (3_723_000_000_000, "1:02:03 h"),
        ];
        for (nanoseconds, expected) in cases {
            assert_eq!(duration(Duration::from_nanos(nanoseconds)), expected);
        }
    }

    #[test]
    fn a_clock_shows_no_more_than_can_be_read() {
        let cases = [
            (0, "0.0 s"),
            (9_990, "9.9 s"),
            (10_900, "10 s"),
            (125_000, "2:05 min"),
            (3_723_000, "1:02:03 h"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(clock(Duration::from_millis(milliseconds)), expected);
        }
    }

    #[test]
    fn numbers_are_grouped_and_counted() {
        assert_eq!(count(1, "task"), "1 task");
        assert_eq!(count(0, "task"), "0 tasks");
        assert_eq!(count(1_234_567, "task"), "1,234,567 tasks");
        assert_eq!(grouped(100), "100");
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["compile", "test", "package"];
        assert_eq!(nearest("complie", names), Some("compile"));
        assert_eq!(nearest("Test", names), Some("test"));
        assert_eq!(nearest("deploy", names), None);
    }

    #[test]
    fn what_is_too_wide_is_cut() {
        let cases = [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abcde…"),
            ("äöü", 2, "ä…"),
            // Each of these takes two columns.
            ("漢字漢字", 8, "漢字漢字"),
            ("漢字漢字", 6, "漢字…"),
            ("漢字", 1, "…"),
            ("a", 0, ""),
        ];
        for (text, limit, expected) in cases {
            assert_eq!(cut(text, limit), expected);
            assert!(columns(expected) <= limit);
        }
    }
}
