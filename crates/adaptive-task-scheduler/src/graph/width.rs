//! Pure: whether short nodes are run by one worker or by several.
//!
//! Short nodes may be run faster by one: two pay for each other's cache lines. That
//! depends on what the nodes touch and on the machine, so it is tried. Both ways are run
//! once, then the faster one, and after 8, 16, 32, ... runs the other one again.
//!
//! Nodes that are not short have as many workers as there is work for in any case.

use std::time::Duration;

/// Runs of a plan, by how many workers ran its short nodes.
#[derive(Debug, Default)]
pub(super) struct Width {
    alone: Option<Duration>,
    together: Option<Duration>,
    runs: u64,
}

impl Width {
    /// Whether the next run is for one worker.
    pub(super) fn begin_run(&mut self) -> bool {
        let (Some(alone), Some(together)) = (self.alone, self.together) else {
            return self.alone.is_none();
        };
        self.runs += 1;
        let is_better = alone <= together;
        let is_trial = self.runs >= 8 && self.runs.is_power_of_two();
        is_better != is_trial
    }

    /// A run has ended well.
    pub(super) fn end_run(&mut self, was_alone: bool, took: Duration) {
        let of = match was_alone {
            true => &mut self.alone,
            false => &mut self.together,
        };
        // A slow run says less than a fast one: the machine may have done something else.
        *of = Some(match *of {
            Some(before) if took > before => (before * 7 + took) / 8,
            _ => took,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(width: &mut Width, count: usize, alone: u64, together: u64) -> Vec<bool> {
        let run = |_| {
            let is_alone = width.begin_run();
            let took = if is_alone { alone } else { together };
            width.end_run(is_alone, Duration::from_millis(took));
            is_alone
        };
        (0..count).map(run).collect()
    }

    #[test]
    fn both_are_tried_and_then_the_faster_one_is_run() {
        let mut width = Width::default();
        assert_eq!(runs(&mut width, 4, 5, 9), [true, false, true, true]);
        let later = runs(&mut width, 30, 5, 9);
        assert_eq!(later.iter().filter(|&&is_alone| !is_alone).count(), 3);
        let mut width = Width::default();
        assert_eq!(runs(&mut width, 4, 9, 5), [true, false, false, false]);
    }

    #[test]
    fn what_has_become_slower_is_left_in_time() {
        let mut width = Width::default();
        runs(&mut width, 3, 5, 9);
        let later = runs(&mut width, 20, 50, 9);
        assert!(later[0] && !later[19], "{later:?}");
    }
}
