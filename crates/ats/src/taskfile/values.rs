//! Reading one value as what a key expects: the value, or the one mistake in it.

use std::time::Duration;

use adaptive_task_scheduler::Priority;

use super::mistakes::Mistake;
use super::model::{Lane, Retries};
use super::sources::Text;
use super::tree::{Kind, Node};
use crate::cli::MAX_JOBS;
use crate::text::nearest;

const DURATION: &str = "write \"30s\", \"1m 30s\" or \"500ms\", or a number of seconds";
const QUOTE: &str = "put it in quotes, so that it stays as it is written";

pub(super) fn wrong_type(key: &str, node: &Node<'_>, expected: &str) -> Mistake {
    Mistake::new(node.spot, format!("`{key}` must be {expected}"))
        .label(format!("this is of type {}", node.type_name()))
}

/// Text that can be given to a program: C strings end at the first NUL.
pub(super) fn text(key: &str, node: &Node<'_>) -> Result<Text, Mistake> {
    let text = text_of(key, node)?;
    Ok(Text {
        text: text.to_owned(),
        spot: node.spot,
    })
}

/// The same, without a copy.
pub(super) fn text_of<'n>(key: &str, node: &'n Node<'_>) -> Result<&'n str, Mistake> {
    let Some(text) = node.as_text() else {
        return Err(wrong_type(key, node, "a string"));
    };
    if text.contains('\0') {
        let title = format!("`{key}` has a NUL character in it");
        return Err(Mistake::new(node.spot, title).label("no program can be given one"));
    }
    Ok(text)
}

/// Text, or a number or boolean whose text is not in doubt.
pub(super) fn scalar(key: &str, node: &Node<'_>) -> Result<Text, Mistake> {
    let text = match &node.kind {
        Kind::Integer(Some(integer)) => integer.to_string(),
        Kind::Boolean(boolean) => boolean.to_string(),
        Kind::Integer(None) | Kind::Float(_) => {
            return Err(wrong_type(key, node, "a string").help(QUOTE));
        }
        _ => return self::text(key, node),
    };
    let spot = node.spot;
    Ok(Text { text, spot })
}

/// Text with something in it.
pub(super) fn filled(key: &str, node: &Node<'_>, help: &str) -> Result<Text, Mistake> {
    let text = text(key, node)?;
    if text.text.trim_start().is_empty() {
        return Err(Mistake::new(node.spot, format!("`{key}` is empty")).help(help));
    }
    Ok(text)
}

/// One of a few words.
fn word<T: Copy>(
    kind: &str,
    kinds: &str,
    node: &Node<'_>,
    known: &[(&str, T)],
) -> Result<T, Mistake> {
    let written = text(kind, node)?.text;
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == written) {
        return Ok(*value);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let all = format!("the {kinds} are {}", names.join(", "));
    let help = match nearest(&written, names) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    };
    Err(Mistake::new(node.spot, format!("unknown {kind} `{written}`")).help(help))
}

pub(super) fn priority(node: &Node<'_>) -> Result<Priority, Mistake> {
    let names = Priority::ALL.map(|priority| (priority.to_string().to_lowercase(), priority));
    let known: Vec<(&str, Priority)> = names
        .iter()
        .map(|(name, priority)| (name.as_str(), *priority))
        .collect();
    word("priority", "priorities", node, &known)
}

pub(super) fn lane(node: &Node<'_>) -> Result<Lane, Mistake> {
    word("lane", "lanes", node, &LANES)
}

/// What lanes are called in files.
pub(super) const LANES: [(&str, Lane); 3] = [
    ("cpu", Lane::Cpu),
    ("io", Lane::Io),
    ("blocking", Lane::Blocking),
];

pub(super) fn boolean(key: &str, node: &Node<'_>) -> Result<bool, Mistake> {
    match node.kind {
        Kind::Boolean(boolean) => Ok(boolean),
        _ => Err(wrong_type(key, node, "true or false")),
    }
}

pub(super) fn duration(key: &str, node: &Node<'_>) -> Result<Duration, Mistake> {
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    let read = match &node.kind {
        Kind::Text(text) => humantime::parse_duration(text).ok(),
        Kind::Integer(Some(integer)) => seconds(*integer as f64),
        Kind::Integer(None) => None,
        Kind::Float(float) => seconds(*float),
        _ => return Err(wrong_type(key, node, "a duration").help(DURATION)),
    };
    match read {
        Some(duration) if duration.is_zero() => {
            Err(Mistake::new(node.spot, format!("`{key}` is zero"))
                .label("nothing can be done in no time")
                .help(DURATION))
        }
        Some(duration) => Ok(duration),
        None => Err(Mistake::new(node.spot, format!("`{key}` is not a duration")).help(DURATION)),
    }
}

fn within<N: TryFrom<i64>>(
    key: &str,
    node: &Node<'_>,
    range: std::ops::RangeInclusive<i64>,
) -> Result<N, Mistake> {
    let Kind::Integer(integer) = node.kind else {
        return Err(wrong_type(key, node, "a whole number"));
    };
    integer
        .filter(|integer| range.contains(integer))
        .and_then(|integer| N::try_from(integer).ok())
        .ok_or_else(|| {
            let title = format!("`{key}` must be from {} to {}", range.start(), range.end());
            Mistake::new(node.spot, title)
        })
}

pub(super) fn jobs(node: &Node<'_>) -> Result<u16, Mistake> {
    within("jobs", node, 1..=MAX_JOBS)
}

/// The version of the schema; there is one so far.
pub(super) fn version(node: &Node<'_>) -> Result<i64, Mistake> {
    match node.kind {
        Kind::Integer(Some(1)) => Ok(1),
        _ => Err(
            Mistake::new(node.spot, "this version of the file format is not known")
                .help("write `version = 1`; a newer ats may read newer versions"),
        ),
    }
}

/// A number of retries, or a table of `count` and `backoff`.
pub(super) fn retries(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Retries {
    let mut retries = Retries::default();
    let mut note = |mistake| mistakes.push(mistake);
    let count = |key, node| within(key, node, 0..=1000);
    let Some(table) = node.as_table() else {
        match count("retries", node) {
            Ok(count) => retries.count = count,
            Err(mistake) => note(mistake),
        }
        return retries;
    };
    for (key, value) in table {
        match key.text.as_ref() {
            "count" => match count("retries.count", value) {
                Ok(count) => retries.count = count,
                Err(mistake) => note(mistake),
            },
            "backoff" => match duration("retries.backoff", value) {
                Ok(backoff) => retries.backoff = backoff,
                Err(mistake) => note(mistake),
            },
            _ => note(super::keys::unknown(key, &super::keys::RETRIES)),
        }
    }
    if node.get("count").is_none() {
        note(
            Mistake::new(node.spot, "`retries` has no `count`")
                .help("write `retries = { count = 3, backoff = \"1s\" }`"),
        );
    }
    retries
}

/// The values of a list, each with its place; a list of something else is one mistake.
pub(super) fn list<'v, 's>(key: &str, node: &'v Node<'s>) -> Result<&'v [Node<'s>], Mistake> {
    node.as_list()
        .ok_or_else(|| wrong_type(key, node, "a list"))
}
