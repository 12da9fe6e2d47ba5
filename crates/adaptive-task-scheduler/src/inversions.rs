//! How long tasks waited on less important ones.
//!
//! It owns: for each scheduler the total, and a bounded table by class. A wait
//! is added when it ends, and only if it was an inversion: waits on one's equals
//! or betters cost two loads here and take no lock.
//!
//! Time is counted in ticks of the scheduler: a single short wait may count as
//! none or as one, and many add up to the truth.

use crate::{
    primitives::Mutex,
    task::id::{NameKey, TaskName},
};
use std::{
    collections::HashMap,
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// More pairs of classes are counted under [`OTHERS`].
const MOST: usize = 1024;
const OTHERS: &str = "(others)";

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    ticks: AtomicU64,
    count: AtomicU64,
    by: Mutex<HashMap<Pair, Sum>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pair {
    waiter: NameKey,
    blocker: NameKey,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    ticks: u64,
    count: u64,
}

impl Ledger {
    /// A wait has ended that was an inversion.
    pub(crate) fn note(&self, waiter: TaskName, blocker: TaskName, ticks: u32) {
        let ticks = u64::from(ticks);
        self.ticks.fetch_add(ticks, Relaxed);
        self.count.fetch_add(1, Relaxed);
        let mut pair = Pair {
            waiter: NameKey(waiter),
            blocker: NameKey(blocker),
        };
        let mut by = self.by.lock();
        if by.len() >= MOST && !by.contains_key(&pair) {
            pair = Pair {
                waiter: NameKey(OTHERS.into()),
                blocker: NameKey(OTHERS.into()),
            };
        }
        let sum = by.entry(pair).or_default();
        sum.ticks += ticks;
        sum.count += 1;
    }

    pub(crate) fn read(&self, tick: Duration) -> Inversions {
        let time =
            |ticks: u64| Duration::from_nanos((tick.as_nanos() as u64).saturating_mul(ticks));
        let by = self.by.lock().clone();
        // One call site may have several addresses.
        let mut by_name: HashMap<(TaskName, TaskName), Sum> = HashMap::new();
        for (pair, sum) in by {
            let of_pair = by_name.entry((pair.waiter.0, pair.blocker.0)).or_default();
            of_pair.ticks += sum.ticks;
            of_pair.count += sum.count;
        }
        let mut classes: Vec<_> = by_name
            .into_iter()
            .map(|((waiter, blocker), sum)| InversionClass {
                waiter,
                blocker,
                waited: time(sum.ticks),
                count: sum.count,
            })
            .collect();
        classes.sort_by_key(|class| std::cmp::Reverse((class.waited, class.count)));
        Inversions {
            waited: time(self.ticks.load(Relaxed)),
            count: self.count.load(Relaxed),
            classes,
        }
    }
}

/// How long tasks waited on tasks less important than themselves: what
/// [`Scheduler::inversions`](crate::Scheduler::inversions) reads.
///
/// A wait is an inversion if the own priority of the task waited on is lower
/// than the effective one of the waiter when the wait ends; that the waiter lends
/// its priority shortens the wait, and does not make it none. Counted are waits
/// on handles, watches, groups and declared dependencies that are over, in the
/// scheduler of the waiter since its start.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Inversions {
    /// The time of all of them together, counted in ticks (1 ms, as a rule).
    pub waited: Duration,
    /// How many there were.
    pub count: u64,
    /// By class, the longest time first: up to 1,024 pairs, and one for all
    /// others, whose names are "(others)".
    pub classes: Vec<InversionClass>,
}

/// The inversions of one class of waiters and one of tasks waited on. Tasks of
/// one name are a class, and tasks without a name that were spawned at one call
/// site.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InversionClass {
    /// What the waiters are called.
    pub waiter: TaskName,
    /// What the less important tasks are called that they waited on.
    pub blocker: TaskName,
    /// The time of all of them together.
    pub waited: Duration,
    /// How many there were.
    pub count: u64,
}

impl fmt::Display for Inversions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waited, count, .. } = self;
        write!(f, "{waited:.1?} in {count} waits on less important tasks")?;
        for class in &self.classes {
            write!(
                f,
                "\n  {:?} on {:?}: {:.1?} in {}",
                class.waiter, class.blocker, class.waited, class.count
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_summed_up_and_the_longest_comes_first() {
        let ledger = Ledger::default();
        ledger.note("report".into(), "scan".into(), 2);
        ledger.note("report".into(), "index".into(), 30);
        ledger.note(String::from("report").into(), "scan".into(), 3);
        let read = ledger.read(Duration::from_millis(1));
        assert_eq!(
            read.to_string(),
            "35.0ms in 3 waits on less important tasks\n  \
             \"report\" on \"index\": 30.0ms in 1\n  \
             \"report\" on \"scan\": 5.0ms in 2"
        );
    }

    #[test]
    fn more_classes_than_the_table_holds_are_counted_together() {
        let ledger = Ledger::default();
        for at in 0..MOST + 10 {
            ledger.note(format!("waiter {at}").into(), "scan".into(), 1);
        }
        ledger.note("waiter 0".into(), "scan".into(), 1);
        let read = ledger.read(Duration::from_millis(1));
        assert_eq!(read.classes.len(), MOST + 1);
        assert_eq!(read.count, MOST as u64 + 11);
        let others = &read.classes[0];
        assert_eq!(
            (others.blocker.to_string(), others.count),
            (OTHERS.to_owned(), 10)
        );
    }
}
