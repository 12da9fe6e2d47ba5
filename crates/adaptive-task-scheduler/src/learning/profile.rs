//! What was learned, for reading back, keeping and restoring.

use super::{class::Known, estimate::Estimate, first_lane::Learned};
use crate::{lane::Lane, task::id::TaskName};
use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// What a scheduler has learned of the classes of its tasks; from
/// [`Scheduler::profiles`](crate::Scheduler::profiles).
///
/// As text ([`Display`](fmt::Display), [`FromStr`](std::str::FromStr)) it is
/// what [`Scheduler::save_profiles`](crate::Scheduler::save_profiles) writes.
///
/// ```
/// use adaptive_task_scheduler::{Profiles, Scheduler};
///
/// let scheduler = Scheduler::builder().build_runtime()?;
/// scheduler.block_on(scheduler.task().name("parse").spawn(async { 1 })).unwrap();
/// let kept = scheduler.profiles().to_string();
///
/// let next = Scheduler::builder().build_runtime()?;
/// next.restore_profiles(&kept.parse::<Profiles>()?);
/// assert!(next.profiles().get("parse").is_some());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Profiles {
    pub(super) classes: Vec<Profile>,
}

/// What was learned of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub(super) class: TaskName,
    pub(super) known: Known,
}

/// A running mean of a time. Recent samples count most: of more than 32, each
/// new one weighs one part in 32.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Measure {
    /// How many samples there were.
    pub samples: u64,
    /// Their mean.
    pub mean: Duration,
    /// Their standard deviation.
    pub deviation: Duration,
}

/// A learned first lane, and from what.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// Where tasks of the class begin, unless they are hinted.
    pub lane: Lane,
    /// Since when.
    pub since: SystemTime,
    /// How many measured polls it was learned from; older ones count half.
    pub polls: u32,
    /// How many of them lasted for a millisecond or more.
    pub long_polls: u32,
    /// How long these took together.
    pub hogged: Duration,
    /// Which part of that was CPU time, from 0 to 1.
    pub cpu_share: f64,
}

impl Profiles {
    pub(crate) fn new(classes: impl IntoIterator<Item = Profile>) -> Self {
        let classes = classes.into_iter().collect();
        Self { classes }
    }

    /// The profile of a class by its name; a call site is named
    /// `file:line:column`.
    pub fn get(&self, class: &str) -> Option<&Profile> {
        self.iter().find(|profile| profile.class == *class)
    }

    /// All profiles, in the order in which the classes were first met.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Profile> {
        self.classes.iter()
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }
}

impl Profile {
    pub(crate) fn new(class: TaskName, known: Known) -> Self {
        Self { class, known }
    }

    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    /// The class: the name of its tasks or, without one, their call site.
    pub fn class(&self) -> &TaskName {
        &self.class
    }

    /// The time of a poll. Every poll of a young class, of one that has had long
    /// polls lately, and of one that has learned a lane is measured; of the
    /// others one per thread and tick.
    pub fn poll_time(&self) -> Measure {
        self.known.polls.into()
    }

    /// Which part of the long polls (of a millisecond or more) was CPU time,
    /// from 0 to 1; `None` if there was none lately, or the operating system does
    /// not tell.
    pub fn cpu_share(&self) -> Option<f64> {
        self.known.first_lane.evidence.cpu_share()
    }

    /// The time from the first poll to the end, of the tasks that completed and
    /// were measured: the first eight, then one per tick.
    pub fn total_time(&self) -> Measure {
        self.known.total.into()
    }

    /// The part of the total time that was spent outside of polls, of the tasks
    /// of which every poll was measured.
    pub fn suspended_time(&self) -> Measure {
        self.known.suspended.into()
    }

    /// How many tasks ended otherwise than by completing.
    pub fn failures(&self) -> u64 {
        self.known.failures
    }

    /// The lane that was learned, if one was.
    pub fn decision(&self) -> Option<Decision> {
        self.known.first_lane.learned.map(Decision::from)
    }

    /// How often a learned lane was unlearned.
    pub fn unlearned(&self) -> u32 {
        self.known.first_lane.doubts
    }
}

impl From<Estimate> for Measure {
    fn from(estimate: Estimate) -> Self {
        Self {
            samples: estimate.samples,
            mean: estimate.mean(),
            deviation: estimate.deviation(),
        }
    }
}

impl From<Learned> for Decision {
    fn from(learned: Learned) -> Self {
        Self {
            lane: learned.lane,
            since: SystemTime::UNIX_EPOCH + learned.since,
            polls: learned.from.polls,
            long_polls: learned.from.long,
            hogged: learned.from.hogged(),
            cpu_share: learned.from.cpu_share().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.cpu_share * 100.0;
        write!(
            f,
            "begins on the {} lane: {} of {} measured polls were long, {:.1?} together, {share:.0} % of it CPU time",
            self.lane, self.long_polls, self.polls, self.hogged
        )
    }
}
