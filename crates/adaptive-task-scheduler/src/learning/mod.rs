//! Learning: what the tasks of one class do, so that the next one is right from
//! the start.
//!
//! It owns: the classes of a scheduler, each with a profile. A class is the name
//! of a task or, without one, the call site that described it.
//!
//! The way of an observation:
//!
//! 1. A task is spawned: [`class`] finds its class, whose learned lane is where
//!    the task begins unless its spawner hinted otherwise. The class says what
//!    is to be watched of this task.
//! 2. A poll of a watched task is measured ([`probe`]): wall clock, CPU clock,
//!    and whether the thread slept. All polls of young and of suspicious classes
//!    are; of all others one per carrier and tick, by the wall clock alone. A
//!    poll that was not measured but outlasted a tick makes its class suspicious.
//! 3. [`first_lane`] decides from long polls where the class begins, with
//!    hysteresis. A running task of a class that has learned moves too, unless
//!    it was hinted.
//! 4. The end of a watched task tells its total time, from which [`finish`]
//!    expects the next one's.
//!
//! Priority is never learned. Each decision can be read back ([`profile`]), and
//! profiles go to and from a file ([`file`]).
//!
//! What a poll costs here: two loads and two compares. A measured one costs two
//! readings of the clock or, while its class is watched closely, of three (some
//! 2 us).
//!
//! Known race, harmless: a task may be watched a little longer than its class
//! asks for, or be spawned just before its class learns.

#[cfg(not(ats_loom))]
pub(crate) mod class;
#[cfg(not(ats_loom))]
pub(crate) mod deadline;
pub(crate) mod estimate;
#[cfg(not(ats_loom))]
pub(crate) mod file;
pub(crate) mod finish;
pub(crate) mod first_lane;
#[cfg(not(ats_loom))]
pub(crate) mod observe;
#[cfg(not(ats_loom))]
pub(crate) mod probe;
#[cfg(not(ats_loom))]
pub(crate) mod profile;

/// What is to be observed of a task, and what its spawner said: bits of
/// `Facts::watch`.
pub(crate) mod watch {
    /// Measure every poll.
    pub(crate) const POLLS: u8 = 1 << 0;
    /// Tell the total time at the end.
    pub(crate) const TOTAL: u8 = 1 << 1;
    /// Every poll so far was measured.
    pub(crate) const WHOLE: u8 = 1 << 2;
    /// The spawner chose the lane.
    pub(crate) const HINTED: u8 = 1 << 3;
    /// A hint: the task has begun to wait on others, and may still count as waiting.
    pub(crate) const WAITS: u8 = 1 << 4;
}
