//! What to do about stuck polls.
//!
//! Pure: what was seen and the time go in, a decision comes out.

use std::time::Duration;

/// What a thread that is stuck in a poll is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It uses its core.
    Computing,
    /// It sleeps in the kernel.
    Blocked,
    /// It is ready to run and the kernel runs something else.
    Preempted,
}

/// Tells what a stuck thread is doing from the CPU time that it used in the
/// last `wall` of its poll, and from whether it sleeps. What the operating
/// system does not say counts as blocked.
pub(crate) fn activity(
    wall: Duration,
    cpu: Option<Duration>,
    is_asleep: impl FnOnce() -> Option<bool>,
) -> Activity {
    if cpu.is_some_and(|cpu| cpu * 2 >= wall) {
        return Activity::Computing;
    }
    match is_asleep() {
        Some(false) => Activity::Preempted,
        Some(true) | None => Activity::Blocked,
    }
}

/// What is known about a poll that has lasted for at least one tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StuckPoll {
    pub(crate) activity: Activity,
    /// Whether another task waits on its task, and for how long.
    pub(crate) waited: Option<Duration>,
    /// Whether something is ready that the slot could run.
    pub(crate) has_ready: bool,
    /// Whether its carrier is a relief.
    pub(crate) is_relief: bool,
}

/// Whether the task's next polls move to another lane. Only for the sake of a
/// task that waits: otherwise a long poll is only noted.
pub(crate) fn relocates(poll: StuckPoll, patience: Duration) -> bool {
    poll.activity != Activity::Preempted && poll.waited.is_some_and(|waited| waited >= patience)
}

/// Whether the slot is to be handed to a relief, and whether that counts as
/// growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandOff {
    No,
    /// A guest's slot: as many threads poll as before.
    Free,
    /// A relief is stuck too: one more thread than before.
    Growth,
}

pub(crate) fn hand_off(poll: StuckPoll) -> HandOff {
    match poll {
        StuckPoll {
            activity: Activity::Preempted,
            ..
        }
        | StuckPoll {
            has_ready: false, ..
        } => HandOff::No,
        StuckPoll {
            is_relief: false, ..
        } => HandOff::Free,
        StuckPoll {
            is_relief: true, ..
        } => HandOff::Growth,
    }
}

/// Limits how fast threads are added beyond one for each slot, as .NET's pool
/// does: one at once, then one in 25 ms, each step 25 ms slower up to 250 ms.
/// The steps are forgotten after a second without growth. (Guesses taken from
/// .NET; benchmark C with `d` = 100 ms would change them.)
#[derive(Debug, Default)]
pub(crate) struct Damping {
    last: Option<Duration>,
    step: u32,
}

const STEP: Duration = Duration::from_millis(25);
const LONGEST_STEP: u32 = 10;
const FORGET: Duration = Duration::from_secs(1);

impl Damping {
    /// Whether one thread may be added now; if so, it counts as added.
    /// `now` is the time since any fixed start.
    pub(crate) fn admits(&mut self, now: Duration) -> bool {
        if let Some(last) = self.last {
            let since = now.saturating_sub(last);
            if since >= FORGET {
                self.step = 0;
            } else if since < STEP * self.step {
                return false;
            }
        }
        self.step = (self.step + 1).min(LONGEST_STEP);
        self.last = Some(now);
        true
    }
}

/// The lowest level that a reserve serves while polls of `stuck` level are
/// stuck; `None` if nothing can be more important.
pub(crate) fn reserve_floor(stuck: u8) -> Option<u8> {
    let floor = stuck + 1;
    (usize::from(floor) < crate::priority::LEVELS).then_some(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn activity_is_told_by_the_cpu_clock_first_and_by_the_state_second() {
        let table = [
            (Some(MS(1)), None, Activity::Computing),
            (Some(MS(0)), Some(true), Activity::Blocked),
            (Some(MS(0)), Some(false), Activity::Preempted),
            (None, None, Activity::Blocked),
            (None, Some(false), Activity::Preempted),
        ];
        for (cpu, asleep, expected) in table {
            assert_eq!(
                activity(MS(1), cpu, || asleep),
                expected,
                "{cpu:?} {asleep:?}"
            );
        }
    }

    #[test]
    fn only_demand_moves_anything() {
        let quiet = StuckPoll {
            activity: Activity::Blocked,
            waited: None,
            has_ready: false,
            is_relief: false,
        };
        assert_eq!(hand_off(quiet), HandOff::No);
        assert!(!relocates(quiet, MS(5)));
        assert_eq!(
            hand_off(StuckPoll {
                has_ready: true,
                ..quiet
            }),
            HandOff::Free
        );
        let relief = StuckPoll {
            has_ready: true,
            is_relief: true,
            ..quiet
        };
        assert_eq!(hand_off(relief), HandOff::Growth);
        assert!(relocates(
            StuckPoll {
                waited: Some(MS(5)),
                ..quiet
            },
            MS(5)
        ));
        assert!(!relocates(
            StuckPoll {
                waited: Some(MS(4)),
                ..quiet
            },
            MS(5)
        ));
        let preempted = StuckPoll {
            activity: Activity::Preempted,
            waited: Some(MS(9)),
            has_ready: true,
            is_relief: false,
        };
        assert_eq!(hand_off(preempted), HandOff::No);
        assert!(!relocates(preempted, MS(5)));
    }

    #[test]
    fn growth_slows_down_and_recovers() {
        let mut damping = Damping::default();
        let admitted: Vec<u64> = (0..2_000).filter(|&ms| damping.admits(MS(ms))).collect();
        let gaps: Vec<u64> = admitted.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps[..4], [25, 50, 75, 100]);
        assert!(gaps.iter().all(|&gap| gap <= 250), "{gaps:?}");
        assert_eq!(gaps.last(), Some(&250));
        assert!(damping.admits(MS(5_000)));
        assert!(!damping.admits(MS(5_010)));
        assert!(damping.admits(MS(5_025)));
    }

    #[test]
    fn a_reserve_serves_only_what_is_more_important_than_the_stuck() {
        assert_eq!(reserve_floor(0), Some(1));
        assert_eq!(reserve_floor(3), Some(4));
        assert_eq!(reserve_floor(4), None);
    }
}
