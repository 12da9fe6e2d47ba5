//! `ats schema`: the JSON Schema of files of tasks, by which editors complete and check them.

use std::io::Write;

use crate::exit::{Exit, Failure};

/// The schema of version 1.
pub const TASK_FILE: &str = include_str!("../schema/taskfile-1.json");

/// Prints the schema.
///
/// # Errors
///
/// Printing failed.
pub fn print() -> Result<Exit, Failure> {
    std::io::stdout().write_all(TASK_FILE.as_bytes())?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::TASK_FILE;
    use crate::taskfile::format::Format;
    use crate::taskfile::{self, keys};

    fn schema() -> Value {
        serde_json::from_str(TASK_FILE).unwrap()
    }

    fn keys_at(pointer: &str) -> BTreeSet<String> {
        let schema = schema();
        let properties = schema.pointer(pointer).and_then(Value::as_object).unwrap();
        properties.keys().cloned().collect()
    }

    #[test]
    fn readers_and_schema_know_the_same_keys() {
        let set = |keys: &[&str]| {
            keys.iter()
                .map(ToString::to_string)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(keys_at("/properties"), set(&keys::FILE));
        assert_eq!(keys_at("/$defs/task/properties"), set(&keys::TASK));
        let retries = "/$defs/task/properties/retries/oneOf/1/properties";
        assert_eq!(keys_at(retries), set(&keys::RETRIES));
    }

    #[test]
    fn words_are_the_same_as_in_the_schema() {
        let schema = schema();
        let words = |key: &str| {
            let pointer = format!("/$defs/task/properties/{key}/enum");
            let words = schema.pointer(&pointer).and_then(Value::as_array).unwrap();
            let words = words.iter().map(|word| word.as_str().unwrap().to_owned());
            words.collect::<Vec<_>>()
        };
        let priorities = adaptive_task_scheduler::Priority::ALL;
        let priorities = priorities.map(|priority| priority.to_string().to_lowercase());
        assert_eq!(words("priority"), priorities);
        for key in ["priority", "lane"] {
            for word in words(key) {
                assert!(reader_takes(&format!(
                    "tasks: {{a: {{run: x, {key}: {word}}}}}"
                )));
            }
        }
    }

    fn reader_takes(yaml: &str) -> bool {
        taskfile::parse(Path::new("tasks.yaml"), yaml.into(), Format::Yaml, &[]).is_ok()
    }

    /// The reader and the schema must say the same of each file; files are YAML here, and JSON,
    /// which the validator wants, is YAML too.
    #[test]
    fn readers_and_schema_take_and_refuse_the_same_files() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let task = |fields: &str| format!(r#"{{"tasks": {{"a": {{{fields}}}}}}}"#);
        let good = [
            r#"{"version": 1, "jobs": 3, "env": {"A": "x", "B": 2, "C": true}, "vars": {"x-y": 1, "_ü": "b"}, "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"vars": {"only": "these"}}"#.to_owned(),
            task(r#""run": "make""#),
            task(r#""needs": []"#),
            task(r#""exec": ["a", "", "b"], "description": "d", "inputs": ["x"], "outputs": ["y*"], "cwd": "d""#),
            task(r#""run": "x", "timeout": "1m 30s", "deadline": 0.5, "retries": 3"#),
            task(r#""run": "x", "retries": {"count": 0, "backoff": "1s"}, "if": "true", "always": true"#),
            task(r#""run": "x", "matrix": {"os": ["a", 1, true], "n": ["b"]}, "lane": "io""#),
        ];
        let bad = [
            "[]".to_owned(),
            r#"{"version": 2, "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"version": "1", "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"jobs": 0, "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"jobs": 257, "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"taks": {}}"#.to_owned(),
            r#"{"tasks": []}"#.to_owned(),
            r#"{"tasks": {"a": 1}}"#.to_owned(),
            r#"{"tasks": {"": {"run": "x"}}}"#.to_owned(),
            r#"{"tasks": {"-a": {"run": "x"}}}"#.to_owned(),
            r#"{"include": "x", "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"include": [1], "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"env": {"A=B": "x"}, "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"env": {"A": 1.5}, "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"vars": {"1a": "x"}, "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            r#"{"vars": {"a": null}, "tasks": {"a": {"run": "x"}}}"#.to_owned(),
            task(""),
            task(r#""run": " ""#),
            task(r#""run": "x", "exec": ["x"]"#),
            task(r#""exec": []"#),
            task(r#""exec": [""]"#),
            task(r#""exec": "x""#),
            task(r#""run": "x", "needs": "b""#),
            task(r#""run": "x", "inputs": [""]"#),
            task(r#""run": "x", "priority": "urgent""#),
            task(r#""run": "x", "lane": "gpu""#),
            task(r#""run": "x", "timeout": 0"#),
            task(r#""run": "x", "timeout": "soon""#),
            task(r#""run": "x", "timeout": true"#),
            task(r#""run": "x", "retries": 1001"#),
            task(r#""run": "x", "retries": 1.5"#),
            task(r#""run": "x", "retries": {"backoff": "1s"}"#),
            task(r#""run": "x", "retries": {"count": 1, "wait": 1}"#),
            task(r#""run": "x", "always": "yes""#),
            task(r#""run": "x", "matrix": {"os": []}"#),
            task(r#""run": "x", "matrix": {"os": ["a", "a"]}"#),
            task(r#""run": "x", "matrix": {"os": "a"}"#),
            task(r#""run": "x", "wat": 1"#),
        ];
        for file in good {
            let value: Value = serde_json::from_str(&file).unwrap();
            assert!(reader_takes(&file), "the reader refuses {file}");
            assert!(validator.is_valid(&value), "the schema refuses {file}");
        }
        for file in bad {
            let value: Value = serde_json::from_str(&file).unwrap();
            assert!(!reader_takes(&file), "the reader takes {file}");
            assert!(!validator.is_valid(&value), "the schema takes {file}");
        }
    }
}
