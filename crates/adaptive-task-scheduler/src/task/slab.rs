//! The table of all tasks of this process.
//!
//! It owns: the records, in chunks that are never freed, and the list of free
//! places. An id is a place and a generation, so a look-up is two loads, and a
//! stale id finds a record that says so.
//!
//! The table is shared by all schedulers of the process, and grows to the
//! largest number of tasks that were alive at once. That is the price of
//! wakers that are plain numbers: cloning and dropping one costs nothing, and
//! one that outlives its task does no harm.
//!
//! Free places are kept by thread, and moved to and from the common list in
//! groups, so that most spawns and ends take no lock.

use super::{
    id::TaskId,
    job::Job,
    record::{NewTask, Record},
};
use crate::primitives::Mutex;
use std::{
    cell::RefCell,
    pin::Pin,
    sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering},
};

const CHUNK: usize = 512;
/// Room for 268 million tasks at once, beyond which spawning is rejected.
const CHUNKS: usize = 1 << 19;
/// The generations above are for tasks that were never taken.
const LAST_GENERATION: u32 = 0xf000_0000;
/// How many places a thread takes or gives back at once.
const GROUP: usize = 64;

type Chunk = [Record; CHUNK];

static TABLE: [AtomicPtr<Chunk>; CHUNKS] = [const { AtomicPtr::new(std::ptr::null_mut()) }; CHUNKS];
static GROWN: AtomicUsize = AtomicUsize::new(0);
static FREE: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// This thread's free places.
struct Cache(Vec<u32>);

impl Drop for Cache {
    fn drop(&mut self) {
        FREE.lock().append(&mut self.0);
    }
}

thread_local! {
    static CACHE: RefCell<Cache> = const { RefCell::new(Cache(Vec::new())) };
}

/// The record at a place that was handed out once.
pub(crate) fn record_at(index: u32) -> &'static Record {
    let index = index as usize;
    let chunk = TABLE[index / CHUNK].load(Ordering::Acquire);
    // SAFETY: what is not null is a chunk that was leaked when it was made, and
    // published with Release, so it is good for ever.
    let chunk: Option<&'static Chunk> = unsafe { chunk.as_ref() };
    // Ids of places not handed out do not exist.
    &chunk.expect("a task's id is of a place in the table")[index % CHUNK]
}

pub(crate) fn record(id: TaskId) -> &'static Record {
    record_at(id.index())
}

/// Makes sure that there is a first chunk, on which [`unplaced_id`] relies.
pub(crate) fn init() {
    if GROWN.load(Ordering::Acquire) == 0 {
        let mut free = FREE.lock();
        if GROWN.load(Ordering::Acquire) == 0 {
            grow(&mut free);
        }
    }
}

/// An id for a task that was never taken: of the first place, with a
/// generation that the place will not reach.
pub(crate) fn unplaced_id() -> TaskId {
    static NEXT: AtomicU32 = AtomicU32::new(u32::MAX);
    TaskId::new(0, NEXT.fetch_sub(1, Ordering::Relaxed))
}

/// A free place that belongs to its owner alone.
#[must_use]
pub(crate) struct Place(u32);

impl Place {
    /// Gives the place to a task.
    pub(crate) fn open(self, new: NewTask, job: Option<Pin<Box<dyn Job>>>) -> TaskId {
        // SAFETY: the place was taken off the free list, which each is on once.
        let generation = unsafe { record_at(self.0).open(new, job) };
        TaskId::new(self.0, generation)
    }
}

/// Takes a free place. `None` if the table is full.
pub(crate) fn take_place() -> Option<Place> {
    take_index().map(Place)
}

fn take_index() -> Option<u32> {
    CACHE
        .try_with(|cache| {
            let cache = &mut cache.borrow_mut().0;
            if cache.is_empty() {
                refill(cache);
            }
            cache.pop()
        })
        // The thread is ending; its cache is gone.
        .unwrap_or_else(|_| {
            let mut places = Vec::new();
            refill(&mut places);
            let place = places.pop();
            FREE.lock().append(&mut places);
            place
        })
}

/// Gives the place of an ended task back, unless its generations are used up:
/// then it is left alone, so that an id never comes again.
pub(crate) fn return_place(id: TaskId) {
    if id.generation() >= LAST_GENERATION {
        return;
    }
    let index = id.index();
    let kept = CACHE.try_with(|cache| {
        let cache = &mut cache.borrow_mut().0;
        cache.push(index);
        if cache.len() > 2 * GROUP {
            let from = cache.len() - GROUP;
            FREE.lock().extend(cache.drain(from..));
        }
    });
    if kept.is_err() {
        FREE.lock().push(index);
    }
}

fn refill(cache: &mut Vec<u32>) {
    let mut free = FREE.lock();
    if free.is_empty() {
        grow(&mut free);
    }
    let from = free.len().saturating_sub(GROUP);
    cache.extend(free.drain(from..));
}

/// Adds a chunk. The lock of the free list is held.
fn grow(free: &mut Vec<u32>) {
    let at = GROWN.load(Ordering::Relaxed);
    if at == CHUNKS {
        return;
    }
    let records: Box<[Record]> = (0..CHUNK).map(|_| Record::new()).collect();
    let chunk: Box<Chunk> = match records.try_into() {
        Ok(chunk) => chunk,
        Err(_) => unreachable!("made with that length"),
    };
    TABLE[at].store(Box::leak(chunk), Ordering::Release);
    GROWN.store(at + 1, Ordering::Release);
    let first = (at * CHUNK) as u32;
    free.extend((first..first + CHUNK as u32).rev());
}

/// All places that were ever handed out, with their records.
pub(crate) fn all() -> impl Iterator<Item = (u32, &'static Record)> {
    let places = GROWN.load(Ordering::Acquire) * CHUNK;
    (0..places as u32).map(|index| (index, record_at(index)))
}
