//! The record of a task: its place in the table of tasks.
//!
//! It owns: the state word, the job, the links to other tasks, and a few
//! plain facts. Records are never freed, only given to another task under the
//! next generation, so a reference to one is always good; what it says is
//! about the task one means only if the generation fits.
//!
//! Who may touch what:
//!
//! - R1. `word`: anybody, through its transitions.
//! - R2. `job`: the owner of a [`Claimed`], of which there is one while the
//!   word says RUNNING; after DONE, the one who still has or just gave up
//!   HANDLE (an [`Ended`]); before the id is published, the spawner.
//! - R3. `links`: anybody, under its lock, after checking the generation there.
//! - R4. `facts`: written by the spawner before the id is published, and by
//!   the claimant; read by anybody as a hint.

use super::{
    id::TaskName,
    job::{Fault, Job, Payload},
    word::{self, Claim, Snapshot, Suspend, TaskWord},
};
use crate::{
    lane::Lane,
    primitives::{Mutex, MutexGuard, UnsafeCell},
    priority::Priority,
    quietly::quietly,
    waits::{links::Links, node::NodeKind},
};
use std::{
    any::Any,
    mem,
    panic::Location,
    pin::Pin,
    sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};

/// `facts.last_lane` before the first poll.
pub(crate) const NO_LANE: u8 = u8::MAX;

/// Plain facts about a task (rule R4). These are hints for statistics, events
/// and queue order and carry no protocol, hence std's atomics and `Relaxed`.
///
/// In the order of use: what every poll reads comes first.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Facts {
    /// Nanoseconds after the scheduler's start, 0 for none.
    pub(crate) deadline: AtomicU64,
    /// Which scheduler of this process the task belongs to.
    pub(crate) core: AtomicU32,
    /// The tick at which it was last queued.
    pub(crate) ready_tick: AtomicU32,
    /// What is observed of it: bits of `learning::watch`.
    pub(crate) watch: AtomicU8,
    pub(crate) own_level: AtomicU8,
    pub(crate) last_lane: AtomicU8,
    /// The cancel mode, and [`CLOSURE`].
    manner: AtomicU8,
    /// The tick at which its present donors began to wait; 0 if none do.
    pub(crate) waited_since: AtomicU32,
    /// The number of its class.
    pub(crate) class: AtomicU32,
    /// How long its stuck poll had lasted when it was relocated, microseconds.
    relocated_after: AtomicU32,
    /// Microseconds spent in measured polls, at most some 71 minutes.
    polled: AtomicU32,
    /// When it was last queued, as `load::delay` counts; 0 if that was not timed,
    /// or told already.
    pub(crate) ready_at: AtomicU32,
    /// The most important of those who wait on it, by id.
    pub(crate) waiter: AtomicU64,
    /// Nanoseconds after the scheduler's start of its first poll, 0 if nobody
    /// listened to events then or watched the task.
    pub(crate) started: AtomicU64,
    site: AtomicPtr<Location<'static>>,
}

/// In `facts.manner`: the task is a closure.
const CLOSURE: u8 = 0x80;

impl Facts {
    /// What cancelling does, as a number of [`CancelMode`](crate::CancelMode).
    pub(crate) fn cancel_mode(&self) -> u8 {
        self.manner.load(Relaxed) & !CLOSURE
    }

    /// Says what the node of the wait graph is.
    pub(crate) fn set_kind(&self, kind: NodeKind) {
        self.manner.store(kind as u8, Relaxed);
    }

    /// What it is, of a node of the wait graph.
    pub(crate) fn kind(&self) -> NodeKind {
        let manner = self.manner.load(Relaxed);
        NodeKind::ALL
            .into_iter()
            .find(|&kind| kind as u8 == manner)
            .unwrap_or(NodeKind::Group)
    }

    pub(crate) fn is_closure(&self) -> bool {
        self.manner.load(Relaxed) & CLOSURE != 0
    }

    /// Adds to the time spent in measured polls.
    pub(crate) fn add_polled(&self, poll: Duration) {
        let micros = u32::try_from(poll.as_micros()).unwrap_or(u32::MAX);
        let so_far = self.polled.load(Relaxed);
        self.polled.store(so_far.saturating_add(micros), Relaxed);
    }

    /// The time spent in measured polls; saturates at 71 minutes.
    pub(crate) fn polled(&self) -> Duration {
        Duration::from_micros(self.polled.load(Relaxed).into())
    }

    pub(crate) fn note_relocated_after(&self, polled: Duration) {
        let micros = u32::try_from(polled.as_micros()).unwrap_or(u32::MAX);
        self.relocated_after.store(micros, Relaxed);
    }

    /// How long its stuck poll had lasted when it was relocated; saturates at
    /// 71 minutes.
    pub(crate) fn relocated_after(&self) -> Duration {
        Duration::from_micros(self.relocated_after.load(Relaxed).into())
    }
}

/// On cache lines of its own, so that carriers polling neighbours do not
/// disturb each other, and what a poll needs in the first of them. Three lines,
/// exactly full: a field more is a line more for each of ten million idle tasks.
#[repr(C, align(64))]
pub(crate) struct Record {
    pub(crate) word: TaskWord,
    job: UnsafeCell<Option<Pin<Box<dyn Job>>>>,
    pub(crate) facts: Facts,
    links: Mutex<Links>,
}

// SAFETY: all fields but `job` are Sync. `job` is touched only under rule R2,
// which gives it to one thread at a time, each hand-over ordered by the
// word's AcqRel transitions; and `dyn Job` is Send.
unsafe impl Sync for Record {}

// What the implementation above must not hide.
const _: () = {
    const fn is_sync<T: Sync>() {}
    is_sync::<TaskWord>();
    is_sync::<Facts>();
    is_sync::<Mutex<Links>>();
    const fn is_send<T: Send>() {}
    is_send::<UnsafeCell<Option<Pin<Box<dyn Job>>>>>();
};

/// What the spawner says about a task.
pub(crate) struct NewTask {
    pub(crate) core: u32,
    pub(crate) name: Option<TaskName>,
    pub(crate) site: &'static Location<'static>,
    pub(crate) priority: Priority,
    pub(crate) lane: Lane,
    pub(crate) deadline: u64,
    pub(crate) cancel_mode: u8,
    pub(crate) is_closure: bool,
    pub(crate) class: u32,
    pub(crate) watch: u8,
    pub(crate) flags: u64,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            word: TaskWord::free(),
            facts: Facts {
                core: AtomicU32::new(u32::MAX),
                ready_tick: AtomicU32::new(0),
                watch: AtomicU8::new(0),
                class: AtomicU32::new(0),
                polled: AtomicU32::new(0),
                waited_since: AtomicU32::new(0),
                ready_at: AtomicU32::new(0),
                waiter: AtomicU64::new(0),
                own_level: AtomicU8::new(0),
                last_lane: AtomicU8::new(NO_LANE),
                manner: AtomicU8::new(0),
                deadline: AtomicU64::new(0),
                started: AtomicU64::new(0),
                relocated_after: AtomicU32::new(0),
                site: AtomicPtr::new(std::ptr::null_mut()),
            },
            job: UnsafeCell::new(None),
            links: Mutex::new(Links::new()),
        }
    }

    /// Gives this free place to a task. Returns its generation.
    ///
    /// # Safety
    ///
    /// The place must be free and belong to the caller alone.
    pub(crate) unsafe fn open(&self, new: NewTask, job: Option<Pin<Box<dyn Job>>>) -> u32 {
        let facts = &self.facts;
        facts.core.store(new.core, Relaxed);
        facts.waited_since.store(0, Relaxed);
        facts.ready_at.store(0, Relaxed);
        facts.waiter.store(0, Relaxed);
        facts.own_level.store(new.priority.level(), Relaxed);
        facts.last_lane.store(NO_LANE, Relaxed);
        let closure = if new.is_closure { CLOSURE } else { 0 };
        facts.manner.store(new.cancel_mode | closure, Relaxed);
        facts.deadline.store(new.deadline, Relaxed);
        facts.watch.store(new.watch, Relaxed);
        facts.class.store(new.class, Relaxed);
        facts.polled.store(0, Relaxed);
        facts.started.store(0, Relaxed);
        facts
            .site
            .store(std::ptr::from_ref(new.site).cast_mut(), Relaxed);
        let mut flags = new.flags;
        if new.name.is_some() {
            self.links.lock().name = new.name;
            flags |= word::LINKED;
        }
        // SAFETY: R2, the spawner before publication.
        self.job.with_mut(|slot| unsafe { *slot = job });
        self.word.open(flags, new.priority.level(), new.lane)
    }

    /// The links, if the generation fits and the task has not ended.
    pub(crate) fn live_links(&self, generation: u32) -> Option<MutexGuard<'_, Links>> {
        let links = self.links.lock();
        self.word.link(generation).then_some(links)
    }

    /// The links of a task of this generation, ended or not.
    pub(crate) fn links_of(&self, generation: u32) -> Option<MutexGuard<'_, Links>> {
        let links = self.links.lock();
        (self.word.load().generation() == generation).then_some(links)
    }

    /// What the task is called.
    pub(crate) fn name(&self, generation: u32) -> TaskName {
        match self.links_of(generation) {
            Some(links) => links
                .name
                .clone()
                .unwrap_or_else(|| TaskName::of_site(self.site())),
            None => TaskName::from("(a task that has ended)"),
        }
    }

    fn site(&self) -> &'static Location<'static> {
        let site = self.facts.site.load(Relaxed);
        // SAFETY: only `open` stores here, and only pointers made from
        // references that live for ever; null until the first `open`.
        unsafe { site.as_ref() }.unwrap_or(Location::caller())
    }

    /// Tries to claim the task through an entry of `level` on `lane`.
    pub(crate) fn claim(
        &self,
        generation: u32,
        level: u8,
        lane: Lane,
    ) -> Result<Claimed<'_>, Claim> {
        match self.word.claim(generation, level, lane) {
            Claim::Poll(before) => Ok(Claimed {
                record: self,
                before,
            }),
            other => Err(other),
        }
    }

    /// Claims the task wherever it waits, unless it is running.
    pub(crate) fn seize(&self, generation: u32) -> Option<Claimed<'_>> {
        self.word.seize(generation).then(|| Claimed {
            record: self,
            before: self.word.load(),
        })
    }
}

/// The right to poll a task's job. There is one for as long as the word says
/// RUNNING; it is given up with [`suspend`](Self::suspend) or
/// [`end`](Self::end).
#[must_use]
pub(crate) struct Claimed<'a> {
    record: &'a Record,
    before: Snapshot,
}

impl<'a> Claimed<'a> {
    pub(crate) fn record(&self) -> &'a Record {
        self.record
    }

    /// The word just before the claim.
    pub(crate) fn before(&self) -> Snapshot {
        self.before
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.record.job.with_mut(|job| {
            // SAFETY: R2, this is the one claimant.
            let job = unsafe { &mut *job };
            job.as_mut()
                .expect("a live task has a job")
                .as_mut()
                .poll(cx)
        })
    }

    /// Drops the work unfinished. A panic of its destructors is returned.
    pub(crate) fn discard(&mut self) -> Result<(), Payload> {
        self.record.job.with_mut(|job| {
            // SAFETY: R2, this is the one claimant.
            let job = unsafe { &mut *job };
            job.as_mut().map_or(Ok(()), |job| job.as_mut().discard())
        })
    }

    pub(crate) fn suspend(self, yields: bool) -> Suspend {
        self.record.word.suspend(yields)
    }

    /// Ends the task. What was linked to it is handed out; `ended` takes what
    /// the caller owes to the place.
    pub(crate) fn end(self, error: Option<crate::error::TaskError>) -> (Ending, Option<Ended<'a>>) {
        let (ending, before) = end_word(self.record, error);
        let last = !before.has(word::HANDLE);
        (
            ending,
            last.then_some(Ended {
                record: self.record,
            }),
        )
    }
}

/// Ends the word of a task or node and takes what is linked to it.
fn end_word(record: &Record, error: Option<crate::error::TaskError>) -> (Ending, Snapshot) {
    if error.is_none()
        && let Some(before) = record.word.end_unlinked()
    {
        return (Ending::default(), before);
    }
    let mut links = record.links.lock();
    let failed = error.is_some();
    links.set_error(error);
    let before = record.word.end_linked(failed);
    (links.take_ending(), before)
}

/// Ends a node of the wait graph that never runs, and frees its place.
pub(crate) fn end_node(record: &Record) -> (Ending, Ended<'_>) {
    // Of a task it would make a second owner of the job (R2).
    assert!(record.word.load().has(word::NODE), "a task ended as a node");
    let (ending, _) = end_word(record, None);
    (ending, Ended { record })
}

pub(crate) use crate::waits::links::Ending;

/// The right to the job of an ended task, and the duty to free its place.
#[must_use]
pub(crate) struct Ended<'a> {
    record: &'a Record,
}

impl<'a> Ended<'a> {
    /// What the handle of an ended task has.
    ///
    /// # Safety
    ///
    /// The task must be DONE, and the caller must have just given up its
    /// HANDLE, being told by `drop_handle` that the place is its to free.
    pub(crate) unsafe fn of_handle(record: &'a Record) -> Self {
        Self { record }
    }

    /// Moves the value into `target`, an `Option<T>`.
    pub(crate) fn take(&mut self, target: &mut dyn Any) {
        self.record.job.with_mut(|job| {
            // SAFETY: R2, the task has ended and the handle's right is ours.
            if let Some(job) = unsafe { &mut *job } {
                job.as_mut().take(target);
            }
        });
    }

    /// Drops what is left of the task and makes its place free. The caller
    /// returns the place to the table.
    pub(crate) fn free(self) {
        let job = self.record.job.with_mut(|job| {
            // SAFETY: R2, the task has ended and the handle's right is ours.
            unsafe { (*job).take() }
        });
        if let Some(mut job) = job
            && let Err(payload) = job.as_mut().discard()
        {
            // A value that nobody wanted: nobody is there to be told.
            quietly(|| drop(payload));
        }
        if self.record.word.load().has(word::LINKED | word::FAILED) {
            let links = mem::replace(&mut *self.record.links.lock(), Links::new());
            // The error is anybody's code, which may ask about this task.
            quietly(|| drop(links));
        }
        self.record.word.close();
    }
}

#[cfg(all(test, target_pointer_width = "64", not(any(ats_loom, ats_shuttle))))]
mod tests {
    use super::Record;

    #[test]
    fn a_record_takes_three_cache_lines() {
        assert_eq!(size_of::<Record>(), 3 * 64);
    }
}
