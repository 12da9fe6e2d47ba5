//! WfFormat 1.5 as it is written in a file, before anything is known to be right. A file of ours, as
//! [`super::trace`] describes it, is read by the same pass: it has an `ats` section instead.
//!
//! Only the fields that a replay needs are kept; the rest is skipped while reading, so memory
//! follows the number of tasks and edges, not the size of the file. `serde_json` refuses values
//! nested deeper than 128, so no file can exhaust the stack.

use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;
use serde_json::error::Category;

use super::trace::Section;
use crate::input::{self, Limited, Problem};

/// The version of the format that is understood.
pub const SCHEMA: &str = "1.5";

/// Files over this size are refused. The largest published instance has about 20 MB.
pub const SIZE_LIMIT: u64 = 256 << 20;

/// A file's outermost value.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct Document {
    /// What the workflow is called.
    pub name: Option<String>,
    /// Must be [`SCHEMA`].
    pub schema_version: Option<serde_json::Value>,
    /// Everything else.
    pub workflow: Option<Parts>,
    /// What makes a trace one that `ats run` wrote.
    pub ats: Option<Section>,
}

/// The two halves of a workflow.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub struct Parts {
    /// The graph.
    pub specification: Option<Specification>,
    /// What was measured.
    pub execution: Option<Execution>,
}

/// The graph.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub struct Specification {
    /// Its nodes, with their edges.
    pub tasks: Vec<SpecifiedTask>,
    /// The files that they read and write.
    pub files: Vec<SpecifiedFile>,
}

/// A file that tasks read or write; only its size is of interest.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct SpecifiedFile {
    /// By which tasks name it.
    pub id: Option<String>,
    /// Its size.
    pub size_in_bytes: Option<f64>,
}

/// A node of the graph.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct SpecifiedTask {
    /// Unique in the file.
    pub id: Option<String>,
    /// What kind of task this is, often with a number at its end.
    pub name: Option<String>,
    /// The ids of the tasks that this one runs after.
    pub parents: Vec<String>,
    /// The ids of the tasks that run after this one.
    pub children: Vec<String>,
    /// The ids of the files that it reads.
    pub input_files: Vec<String>,
}

/// What was measured.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct Execution {
    /// From the first task's start to the last one's end.
    pub makespan_in_seconds: Option<f64>,
    /// One entry for each task.
    pub tasks: Vec<ExecutedTask>,
}

/// What was measured of one task.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct ExecutedTask {
    /// The task's id in the specification.
    pub id: Option<String>,
    /// Wall-clock time.
    pub runtime_in_seconds: Option<f64>,
    /// Percent of one core.
    #[serde(rename = "avgCPU")]
    pub avg_cpu: Option<f64>,
}

/// Reads a file.
///
/// # Errors
///
/// The file cannot be read, is not JSON, or has values of the wrong type.
pub fn read(path: &Path) -> Result<Document, Vec<Problem>> {
    let mut file = input::open(path, SIZE_LIMIT).map_err(|problem| vec![problem])?;
    parse(&mut file).map_err(|error| vec![explain(path, file.exceeded(), &error)])
}

/// Reads what a file of this name contains.
///
/// # Errors
///
/// It is not JSON, or has values of the wrong type.
pub fn read_bytes(path: &Path, content: &[u8]) -> Result<Document, Vec<Problem>> {
    serde_json::from_slice(content).map_err(|error| vec![explain(path, false, &error)])
}

fn parse(file: &mut Limited) -> Result<Document, serde_json::Error> {
    serde_json::from_reader(BufReader::with_capacity(1 << 16, file))
}

fn explain(path: &Path, is_too_large: bool, error: &serde_json::Error) -> Problem {
    if is_too_large {
        return input::too_large(path, SIZE_LIMIT);
    }
    let place = format!("line {}, column {}", error.line(), error.column());
    let what = without_place(error);
    match error.classify() {
        Category::Io => match error.io_error_kind() {
            Some(kind) => input::unreadable(path, &kind.into()),
            None => input::unreadable(path, &std::io::Error::other(what)),
        },
        Category::Syntax if what == "recursion limit exceeded" => Problem::at(
            path,
            place,
            "values are nested more than 100 deep",
            "give a WfFormat file, which nests less than 10 deep",
        ),
        Category::Syntax => Problem::at(
            path,
            place,
            format!("this is not JSON: {what}"),
            format!("give a WfFormat {SCHEMA} file in JSON"),
        ),
        Category::Eof => Problem::at(
            path,
            place,
            format!("the file ends too early: {what}"),
            "fetch the file again, it seems to be cut off",
        ),
        Category::Data => Problem::at(
            path,
            place,
            format!("this is neither WfFormat {SCHEMA} nor a trace of `ats run`: {what}"),
            "see https://github.com/wfcommons/WfFormat for the type of each field",
        ),
    }
}

/// The message alone: `serde_json` appends the place, which we print in front.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let bare = text.strip_suffix(&place).unwrap_or(&text);
    crate::text::printable(bare).into_owned()
}
