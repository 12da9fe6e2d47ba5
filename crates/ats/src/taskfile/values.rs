//! Reading one TOML value as what a key expects: the value, or the one mistake in it.

use std::time::Duration;

use adaptive_task_scheduler::Priority;
use toml::Spanned;
use toml::de::DeValue;

use super::mistakes::Mistake;
use super::model::Variables;
use crate::cli::MAX_JOBS;
use crate::text::nearest;

type Value<'a> = Spanned<DeValue<'a>>;

pub(super) fn mistake(value: &Value<'_>, title: String, label: &str, help: &str) -> Mistake {
    Mistake {
        span: value.span(),
        title,
        label: label.to_owned(),
        help: (!help.is_empty()).then(|| help.to_owned()),
    }
}

fn wrong_type(key: &str, value: &Value<'_>, expected: &str) -> Mistake {
    let found = value.get_ref().type_str();
    mistake(
        value,
        format!("`{key}` must be {expected}"),
        &format!("this is of type {found}"),
        "",
    )
}

/// Text that can be given to a program: C strings end at the first NUL.
pub(super) fn text(key: &str, value: &Value<'_>) -> Result<String, Mistake> {
    let Some(text) = value.get_ref().as_str() else {
        return Err(wrong_type(key, value, "a string"));
    };
    if text.contains('\0') {
        let title = format!("`{key}` has a NUL character in it");
        return Err(mistake(value, title, "no program can be given one", ""));
    }
    Ok(text.to_owned())
}

pub(super) fn command(value: &Value<'_>) -> Result<String, Mistake> {
    let command = text("run", value)?;
    if command.trim().is_empty() {
        let help = "give a shell command, `true` for a task that only gathers others";
        return Err(mistake(value, "`run` is empty".into(), "", help));
    }
    Ok(command)
}

pub(super) fn priority(value: &Value<'_>) -> Result<Priority, Mistake> {
    let name = text("priority", value)?;
    let names = Priority::ALL.map(|priority| priority.to_string().to_lowercase());
    let found = names.iter().position(|known| *known == name);
    if let Some(place) = found {
        return Ok(Priority::ALL[place]);
    }
    let all = format!("the priorities are {}", names.join(", "));
    let help = match nearest(&name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    };
    Err(mistake(
        value,
        format!("unknown priority `{name}`"),
        "",
        &help,
    ))
}

pub(super) fn duration(key: &str, value: &Value<'_>) -> Result<Duration, Mistake> {
    let help = "write \"30s\", \"1m 30s\" or \"500ms\", or a number of seconds";
    let read = match value.get_ref() {
        DeValue::String(text) => humantime::parse_duration(text).ok(),
        DeValue::Integer(_) | DeValue::Float(_) => {
            number(value).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        }
        _ => return Err(wrong_type(key, value, "a duration")),
    };
    match read {
        Some(duration) if duration.is_zero() => {
            let title = format!("`{key}` is zero");
            Err(mistake(
                value,
                title,
                "nothing can be done in no time",
                help,
            ))
        }
        Some(duration) => Ok(duration),
        None => Err(mistake(
            value,
            format!("`{key}` is not a duration"),
            "",
            help,
        )),
    }
}

fn number(value: &Value<'_>) -> Option<f64> {
    match value.get_ref() {
        DeValue::Integer(_) => integer(value).map(|integer| integer as f64),
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
}

fn integer(value: &Value<'_>) -> Option<i64> {
    let integer = value.get_ref().as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn within<N: TryFrom<i64>>(
    key: &str,
    value: &Value<'_>,
    range: std::ops::RangeInclusive<i64>,
) -> Result<N, Mistake> {
    if !value.get_ref().is_integer() {
        return Err(wrong_type(key, value, "a whole number"));
    }
    integer(value)
        .filter(|integer| range.contains(integer))
        .and_then(|integer| N::try_from(integer).ok())
        .ok_or_else(|| {
            let title = format!("`{key}` must be from {} to {}", range.start(), range.end());
            mistake(value, title, "", "")
        })
}

pub(super) fn retries(value: &Value<'_>) -> Result<u32, Mistake> {
    within("retries", value, 0..=1000)
}

pub(super) fn jobs(value: &Value<'_>) -> Result<u16, Mistake> {
    within("jobs", value, 1..=MAX_JOBS)
}

/// The values of a list, each with its place; a list of something else is one mistake.
pub(super) fn list<'v, 'a>(key: &str, value: &'v Value<'a>) -> Result<&'v [Value<'a>], Mistake> {
    match value.get_ref().as_array() {
        Some(array) => Ok(array.as_ref()),
        None => Err(wrong_type(key, value, "a list")),
    }
}

/// A table of environment variables, and the mistakes in it.
pub(super) fn variables(value: &Value<'_>, mistakes: &mut Vec<Mistake>) -> Variables {
    let Some(table) = value.get_ref().as_table() else {
        mistakes.push(wrong_type("env", value, "a table"));
        return Variables::new();
    };
    let mut variables = Variables::new();
    for (name, value) in table {
        let key = format!("env.{}", name.get_ref());
        if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) {
            mistakes.push(Mistake {
                span: name.span(),
                title: "this cannot be the name of an environment variable".into(),
                label: "empty, or with `=` or NUL in it".into(),
                help: None,
            });
        }
        match text(&key, value) {
            Ok(text) => variables.push((name.get_ref().to_string(), text)),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    variables
}
