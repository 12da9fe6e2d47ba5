//! Profiles as text: one line for each class.
//!
//! Pure: text in, profiles out, and back.
//!
//! The first line names the format and its version. A line of a class has the
//! fields below, separated by tabs, and ends with the name, in which tab, line
//! feed, carriage return and backslash are escaped. The last line counts the
//! classes and holds a checksum (FNV-1a) of everything before it, so that a file
//! that was cut off or damaged is told from a whole one. What the numbers cannot
//! be (not finite, negative, a lane that does not exist) is refused as well.

use super::{
    class::{Known, MOST},
    estimate::Estimate,
    first_lane::{Evidence, FirstLane, Learned},
    profile::{Profile, Profiles},
};
use crate::lane::Lane;
use std::{error::Error, fmt, fmt::Write as _, str::FromStr, time::Duration};

const FORMAT: &str = "adaptive-task-scheduler profiles";
const VERSION: &str = "1";

/// Why a text is not [`Profiles`].
#[derive(Debug)]
pub struct ProfileError(Cause);

#[derive(Debug)]
enum Cause {
    Foreign,
    Version(String),
    Damaged { line: usize, what: &'static str },
    Io(std::io::Error),
}

impl ProfileError {
    pub(crate) fn io(error: std::io::Error) -> Self {
        Self(Cause::Io(error))
    }

    /// Whether there was no such file.
    pub fn is_missing(&self) -> bool {
        matches!(&self.0, Cause::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether it is a file of profiles, but damaged.
    pub fn is_damaged(&self) -> bool {
        matches!(self.0, Cause::Damaged { .. })
    }

    /// Whether it is something else, or of a version that this one cannot read.
    pub fn is_foreign(&self) -> bool {
        matches!(self.0, Cause::Foreign | Cause::Version(_))
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Foreign => write!(
                f,
                "not a file of profiles: its first line should be \"{FORMAT} {VERSION}\""
            ),
            Cause::Version(found) => write!(
                f,
                "profiles of version {found:?}, and this scheduler reads version {VERSION}"
            ),
            Cause::Damaged { line, what } => write!(f, "damaged profiles, line {line}: {what}"),
            Cause::Io(_) => f.write_str("the profiles could not be read or written"),
        }
    }
}

impl Error for ProfileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Cause::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{FORMAT} {VERSION}\n");
        for profile in &self.classes {
            write_class(&mut text, profile)?;
        }
        let end = end_line(self.classes.len(), &text);
        writeln!(f, "{text}{end}")
    }
}

fn write_class(text: &mut String, profile: &Profile) -> fmt::Result {
    let known = &profile.known;
    for estimate in [known.polls, known.total, known.suspended] {
        let Estimate {
            samples,
            mean,
            variance,
        } = estimate;
        write!(text, "{samples}\t{mean}\t{variance}\t")?;
    }
    let FirstLane {
        learned, doubts, ..
    } = known.first_lane;
    write!(text, "{}\t{doubts}\t", known.failures)?;
    match learned {
        None => text.push_str("-\t0\t0\t0\t0\t0\t0\t0\t0\t"),
        Some(Learned { lane, since, from }) => {
            write!(text, "{lane}\t{}\t", since.as_nanos())?;
            for count in from.counts() {
                write!(text, "{count}\t")?;
            }
            for time in from.times() {
                write!(text, "{time}\t")?;
            }
        }
    }
    escape(text, &profile.class.as_str());
    text.push('\n');
    Ok(())
}

fn escape(text: &mut String, name: &str) {
    for character in name.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            other => text.push(other),
        }
    }
}

fn unescaped(name: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => match characters.next()? {
                '\\' => '\\',
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(text)
}

fn end_line(classes: usize, body: &str) -> String {
    format!("end\t{classes}\t{:016x}", checksum(body))
}

fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl FromStr for Profiles {
    type Err = ProfileError;

    /// Reads what [`Display`](fmt::Display) wrote.
    ///
    /// # Errors
    ///
    /// If the text is something else, of another version, or damaged; nothing of
    /// it is used then.
    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let head = text.lines().next().unwrap_or_default();
        let version = head
            .strip_prefix(FORMAT)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or(ProfileError(Cause::Foreign))?;
        if version != VERSION {
            let version = version.chars().take(16).collect();
            return Err(ProfileError(Cause::Version(version)));
        }
        let count = text.lines().count();
        let damaged = |line, what| ProfileError(Cause::Damaged { line, what });
        let body = check_end(text, count - 1).map_err(|what| damaged(count, what))?;
        if count - 2 >= MOST {
            return Err(damaged(count, "more classes than there can be"));
        }
        let classes = body.lines().enumerate().skip(1);
        let classes = classes
            .map(|(at, line)| read_class(line).map_err(|what| damaged(at + 1, what)))
            .collect::<Result<_, _>>()?;
        Ok(Self { classes })
    }
}

/// The text before the last line, if that tells the truth about it. `lines` is
/// how many there are before it.
fn check_end(text: &str, lines: usize) -> Result<&str, &'static str> {
    let whole = text.strip_suffix('\n').ok_or("the last line is cut off")?;
    let start = whole.rfind('\n').ok_or("the last line is missing")? + 1;
    let (body, end) = whole.split_at(start);
    if !end.starts_with("end\t") {
        return Err("the last line is missing");
    }
    if end != end_line(lines - 1, body) {
        return Err("the checksum is wrong");
    }
    Ok(body)
}

fn read_class(line: &str) -> Result<Profile, &'static str> {
    let mut fields = Fields(line.split('\t'));
    let [polls, total, suspended] = [fields.estimate()?, fields.estimate()?, fields.estimate()?];
    let failures = fields.next()?;
    let doubts = fields.next()?;
    let learned = fields.learned()?;
    let name = fields.text()?;
    if fields.0.next().is_some() {
        return Err("there is a field too many");
    }
    let name = unescaped(name).ok_or("the name has an unknown escape")?;
    let known = Known::restored(
        [polls, total, suspended],
        failures,
        FirstLane::with(learned, doubts),
    );
    Ok(Profile::new(name.into(), known))
}

struct Fields<'a>(std::str::Split<'a, char>);

impl<'a> Fields<'a> {
    fn text(&mut self) -> Result<&'a str, &'static str> {
        self.0.next().ok_or("a field is missing")
    }

    fn next<T: FromStr>(&mut self) -> Result<T, &'static str> {
        self.text()?.parse().map_err(|_| "a number is none")
    }

    fn estimate(&mut self) -> Result<Estimate, &'static str> {
        let estimate = Estimate {
            samples: self.next()?,
            mean: self.next()?,
            variance: self.next()?,
        };
        if estimate.is_sound() {
            Ok(estimate)
        } else {
            Err("a time is negative or too large")
        }
    }

    fn learned(&mut self) -> Result<Option<Learned>, &'static str> {
        let lane = match self.text()? {
            "-" => None,
            "cpu" => Some(Lane::Cpu),
            "blocking" => Some(Lane::Blocking),
            _ => return Err("a lane is neither cpu nor blocking"),
        };
        let since = Duration::from_nanos(self.next()?);
        let counts = [self.next()?, self.next()?, self.next()?];
        let times = [self.next()?, self.next()?, self.next()?, self.next()?];
        let from = Evidence::restored(counts, times).ok_or("the evidence is impossible")?;
        Ok(lane.map(|lane| Learned { lane, since, from }))
    }
}
