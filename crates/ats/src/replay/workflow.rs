//! A recorded workflow run that has been checked: ids unique, edges known, no cycle, times real.

use std::time::Duration;

use adaptive_task_scheduler::Priority;

/// A workflow run.
#[derive(Debug, Default)]
pub struct Workflow {
    /// Its tasks, in an order in which parents come before children.
    pub tasks: Vec<RecordedTask>,
    /// How long the recorded run took as a whole, if the file says.
    pub makespan: Option<Duration>,
    /// What must be known about the record to judge what comes of it.
    pub notes: Vec<String>,
}

/// A task, as it was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordedTask {
    /// Its id in the file.
    pub id: String,
    /// The id's kind: what it is called without the number that tells it from its siblings.
    pub class: String,
    /// Places in [`Workflow::tasks`] of the tasks that it runs after; each smaller than its own.
    pub parents: Vec<usize>,
    /// How long it ran.
    pub run_time: Duration,
    /// Percent of one core that it used meanwhile, where the file says.
    pub cpu_percent: Option<f64>,
    /// How large the files are together that it reads, where the file says.
    pub input_bytes: Option<u64>,
    /// Its own priority; that of everything in formats that know none.
    pub priority: Priority,
    /// Whether it held a place for what mostly waits, not one for what computes.
    pub waits: bool,
    /// Where it stands in the file, which decides between equals.
    pub place: usize,
    /// What it was expected to take before it ran, where the file says.
    pub expected: Option<Duration>,
}

impl RecordedTask {
    /// The share of the run time in which it computed, as far as one thread can.
    /// Where nothing was recorded, the task is taken to have computed.
    #[must_use]
    pub fn computing(&self) -> f64 {
        (self.cpu_percent.unwrap_or(100.0) / 100.0).min(1.0)
    }

    /// Whether it used more cores than the one thread of a replay has.
    #[must_use]
    pub fn used_several_cores(&self) -> bool {
        // A little over 100 is the error of measuring, not a second thread.
        self.cpu_percent.is_some_and(|percent| percent > 110.0)
    }
}

impl Workflow {
    /// The number of edges.
    #[must_use]
    pub fn dependencies(&self) -> usize {
        self.tasks.iter().map(|task| task.parents.len()).sum()
    }

    /// For each task the tasks that run after it.
    #[must_use]
    pub fn children(&self) -> Vec<Vec<usize>> {
        let mut children = vec![Vec::new(); self.tasks.len()];
        for (child, task) in self.tasks.iter().enumerate() {
            for &parent in &task.parents {
                children[parent].push(child);
            }
        }
        children
    }
}

/// Where each task comes in an order of them.
#[must_use]
pub fn place_in_order(order: &[usize]) -> Vec<usize> {
    let mut place_of = vec![0; order.len()];
    for (place, &task) in order.iter().enumerate() {
        place_of[task] = place;
    }
    place_of
}

/// What tasks of one kind have in common: the name without the numbers at its end, which are apart
/// from it after the last one. `bowtie2_ID0000021` is a `bowtie2`, `map_s_1_ID07` a `map_s`.
#[must_use]
pub fn class_of(name: &str) -> &str {
    let mut class = without_number(name);
    let is_apart = |rest: &str| rest.ends_with(['_', '-', '.']);
    loop {
        let digits = class.trim_end_matches(|c: char| c.is_ascii_digit());
        if digits.len() == class.len() || !is_apart(digits) {
            return class;
        }
        let shorter = without_number(class);
        if shorter.len() == class.len() {
            return class;
        }
        class = shorter;
    }
}

fn without_number(name: &str) -> &str {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == name.len() {
        return name;
    }
    let stem = stem.strip_suffix("ID").unwrap_or(stem);
    let stem = stem.trim_end_matches(['_', '-', '.']);
    if stem.is_empty() { name } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_name_without_its_number() {
        let cases = [
            ("bowtie2_ID0000021", "bowtie2"),
            ("NFCORE_MAG.MAG.MULTIQC_157", "NFCORE_MAG.MAG.MULTIQC"),
            ("cpuhog_chain_00000001", "cpuhog_chain"),
            ("map_HEP2_s_1_sequence_1_ID0000009", "map_HEP2_s_1_sequence"),
            ("1_2_3", "1"),
            ("merge", "merge"),
            ("17", "17"),
            ("", ""),
        ];
        for (name, class) in cases {
            assert_eq!(class_of(name), class);
        }
    }
}
