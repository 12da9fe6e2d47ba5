//! Pure: the work of group K, as commands that run after others.

/// Commands by number. Each comes after all that it needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Work {
    pub(super) tasks: Vec<Task>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    pub(super) command: Command,
    pub(super) needs: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// `/bin/true`, without a shell where the tool can do that.
    True,
    /// Opens a named pipe that somebody reads.
    Open(String),
}

impl Work {
    /// So many layers of so many times `/bin/true`; each task needs two of the layer
    /// before.
    pub(super) fn layers(layers: usize, width: usize) -> Work {
        let task = |at: usize| {
            let before = (at / width).checked_sub(1).map(|layer| layer * width);
            let places = [at % width, (at + 1) % width];
            let needs = before
                .into_iter()
                .flat_map(|start| places.map(|place| start + place));
            Task {
                command: Command::True,
                needs: needs.collect(),
            }
        };
        Work {
            tasks: (0..layers * width).map(task).collect(),
        }
    }

    /// The same, and a task before all that tells the reader of a named pipe.
    pub(super) fn begun_by(mut self, pipe: &str) -> Work {
        for task in &mut self.tasks {
            task.needs.iter_mut().for_each(|needed| *needed += 1);
        }
        let first = Task {
            command: Command::Open(pipe.to_owned()),
            needs: Vec::new(),
        };
        self.tasks.insert(0, first);
        self
    }

    /// The tasks that no other needs.
    pub(super) fn last(&self) -> Vec<usize> {
        let mut is_last = vec![true; self.tasks.len()];
        for needed in self.tasks.iter().flat_map(|task| &task.needs) {
            is_last[*needed] = false;
        }
        (0..is_last.len()).filter(|at| is_last[*at]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_needs_two_of_the_layer_before() {
        let work = Work::layers(2, 3);
        let needs: Vec<_> = work.tasks.iter().map(|task| task.needs.clone()).collect();
        let none = Vec::new;
        assert_eq!(
            needs,
            [none(), none(), none(), vec![0, 1], vec![1, 2], vec![2, 0]]
        );
        assert_eq!(work.last(), [3, 4, 5]);
    }

    #[test]
    fn a_first_task_moves_the_others_on() {
        let work = Work::layers(2, 1).begun_by("pipe");
        assert_eq!(work.tasks[0].command, Command::Open("pipe".to_owned()));
        assert_eq!(work.tasks[2].needs, [1, 1]);
        assert_eq!(work.last(), [0, 2]);
    }
}
