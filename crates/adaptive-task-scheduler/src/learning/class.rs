//! The classes of one scheduler.
//!
//! It owns: the list of classes, an index by name, and what is known of each. A
//! class is never removed, so a number of one is always good. There are at most
//! [`MOST`]; what comes after them shares the class of number 0, which learns
//! nothing. (Names may be made for each task; those would fill any list.)
//!
//! Most spawns find their class in a thread-local cache by the address of the
//! call site or the text of the name, without a lock.

use super::{
    estimate::Estimate,
    first_lane::{Change, FirstLane, Polled},
    watch,
};
use crate::{
    lane::Lane,
    primitives::{Mutex, MutexGuard},
    task::id::TaskName,
};
use std::{
    cell::RefCell,
    collections::HashMap,
    panic::Location,
    sync::{
        OnceLock,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

const CHUNK: usize = 64;
/// How many classes there can be.
pub(crate) const MOST: usize = 4096;
/// The class of all tasks that have none.
pub(crate) const OTHERS: u32 = 0;
/// How many ends are told of each class before most are left out.
const EARLY_ENDS: u64 = 8;
/// `Class::lane` while nothing is learned.
const NOTHING: u8 = u8::MAX;

/// All tasks of one name or one call site.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: TaskName,
    /// The learned lane, as spawners read it.
    lane: AtomicU8,
    /// What new tasks are watched for.
    watch: AtomicU8,
    /// The tick at which a task was last chosen to tell its total time.
    chosen: AtomicU32,
    known: Mutex<Known>,
}

/// What is known of a class.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) polls: Estimate,
    pub(crate) total: Estimate,
    pub(crate) suspended: Estimate,
    pub(crate) failures: u64,
    pub(crate) first_lane: FirstLane,
    /// How many polls more are to be measured because one was long.
    suspected: u32,
}

/// How many polls are watched after one that was long by the look of it.
const SUSPECTED: u32 = 16;

impl Known {
    pub(super) fn restored(
        [polls, total, suspended]: [Estimate; 3],
        failures: u64,
        first_lane: FirstLane,
    ) -> Self {
        Self {
            polls,
            total,
            suspended,
            failures,
            first_lane,
            suspected: 0,
        }
    }

    fn wants(&self) -> u8 {
        let polls = self.suspected > 0 || self.first_lane.wants_more();
        let total = self.total.samples < EARLY_ENDS;
        let polls = u8::from(polls) * (watch::POLLS | watch::WHOLE);
        polls | (u8::from(total) * watch::TOTAL)
    }
}

impl Class {
    fn new(name: TaskName, known: Known) -> Self {
        let lane = known.first_lane.learned.map(|learned| learned.lane);
        Self {
            name,
            lane: AtomicU8::new(lane.map_or(NOTHING, |lane| lane as u8)),
            watch: AtomicU8::new(known.wants()),
            chosen: AtomicU32::new(0),
            known: Mutex::new(known),
        }
    }

    /// The lane that was learned.
    pub(crate) fn lane(&self) -> Option<Lane> {
        let lane = self.lane.load(Relaxed);
        (lane != NOTHING).then(|| Lane::of_index(lane))
    }

    /// What to watch of a task that is spawned in this tick.
    pub(crate) fn watch(&self, tick: u32) -> u8 {
        let watch = self.watch.load(Relaxed);
        if self.chosen.load(Relaxed) == tick {
            return watch;
        }
        self.chosen.store(tick, Relaxed);
        watch | watch::TOTAL
    }

    pub(crate) fn wants_polls(&self) -> bool {
        self.watch.load(Relaxed) & watch::POLLS != 0
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }

    /// A poll that was watched closely.
    pub(crate) fn polled(&self, poll: Polled, home: Lane, now: Duration) -> Option<Change> {
        let mut known = self.known.lock();
        known.polls.add(poll.wall);
        known.suspected = known.suspected.saturating_sub(1);
        let change = known.first_lane.observe(poll, home, now);
        self.publish(&known);
        change
    }

    /// A poll that was measured by the wall clock alone.
    pub(crate) fn sampled(&self, wall: Duration) {
        self.known.lock().polls.add(wall);
    }

    /// A poll was long, and nobody knows why.
    pub(crate) fn suspect(&self) {
        let mut known = self.known.lock();
        known.suspected = SUSPECTED;
        self.publish(&known);
    }

    /// A task ended, so long after its first poll began. `polled` is the time in
    /// its polls, if all were measured.
    pub(crate) fn ended(&self, total: Duration, polled: Option<Duration>) {
        let mut known = self.known.lock();
        known.total.add(total);
        if let Some(polled) = polled {
            known.suspended.add(total.saturating_sub(polled));
        }
        self.publish(&known);
    }

    pub(crate) fn failed(&self) {
        self.known.lock().failures += 1;
    }

    fn replace(&self, known: Known) {
        let mut held = self.known.lock();
        *held = known;
        self.publish(&held);
    }

    fn publish(&self, known: &Known) {
        let lane = known.first_lane.learned.map(|learned| learned.lane);
        self.lane
            .store(lane.map_or(NOTHING, |lane| lane as u8), Relaxed);
        self.watch.store(known.wants(), Relaxed);
    }
}

/// How a task's class is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    Name(&'a TaskName),
    Site(&'static Location<'static>),
}

impl Key<'_> {
    fn to_name(self) -> TaskName {
        match self {
            Key::Name(name) => name.clone(),
            Key::Site(site) => TaskName::of_site(site),
        }
    }

    fn cache_place(self) -> usize {
        let hash = match self {
            Key::Site(site) => std::ptr::from_ref(site) as usize as u64,
            Key::Name(name) => name
                .as_str()
                .bytes()
                .fold(0, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(byte)),
        };
        (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
    }

    fn is(self, cached: &Cached) -> bool {
        match (self, cached) {
            (Key::Site(site), Cached::Site(known)) => std::ptr::eq(site, *known),
            (Key::Name(name), Cached::Name(known)) => name == known,
            _ => false,
        }
    }
}

#[derive(Debug)]
enum Cached {
    Site(&'static Location<'static>),
    Name(TaskName),
}

/// One place of the cache: of which scheduler, what, and its class.
type CachePlace = Option<(u64, Cached, u32)>;

thread_local! {
    static CACHE: RefCell<[CachePlace; 64]> = const { RefCell::new([const { None }; 64]) };
}

type Chunk = [OnceLock<Class>; CHUNK];

#[derive(Debug)]
pub(crate) struct Classes {
    /// Unlike a scheduler's number, never used again.
    serial: u64,
    chunks: Box<[OnceLock<Box<Chunk>>]>,
    index: Mutex<HashMap<TaskName, u32>>,
}

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(0);

impl Classes {
    pub(crate) fn new() -> Self {
        let classes = Self {
            serial: NEXT_SERIAL.fetch_add(1, Relaxed),
            chunks: (0..MOST / CHUNK).map(|_| OnceLock::new()).collect(),
            index: Mutex::new(HashMap::new()),
        };
        classes.put(OTHERS, Class::new("(others)".into(), Known::default()));
        classes.at(OTHERS).watch.store(0, Relaxed);
        classes
    }

    fn place(&self, number: u32) -> &OnceLock<Class> {
        let number = number as usize;
        let chunk = self.chunks[number / CHUNK]
            .get_or_init(|| Box::new([const { OnceLock::new() }; CHUNK]));
        &chunk[number % CHUNK]
    }

    fn put(&self, number: u32, class: Class) {
        let _ = self.place(number).set(class);
    }

    /// The class of a number that was handed out.
    pub(crate) fn at(&self, number: u32) -> &Class {
        self.place(number)
            .get()
            .expect("a class is put before its number is told")
    }

    /// The number of the class, which is made if there is room.
    pub(crate) fn number_of(&self, key: Key<'_>) -> u32 {
        let place = key.cache_place();
        let cached = CACHE.try_with(|cache| match &cache.borrow()[place] {
            Some((serial, what, class)) if *serial == self.serial && key.is(what) => Some(*class),
            _ => None,
        });
        match cached {
            Ok(Some(class)) => class,
            _ => self.look_up(key, place),
        }
    }

    #[cold]
    fn look_up(&self, key: Key<'_>, place: usize) -> u32 {
        let class = self.intern(key.to_name(), Known::default());
        let what = match key {
            Key::Site(site) => Cached::Site(site),
            Key::Name(name) => Cached::Name(name.clone()),
        };
        let _ = CACHE.try_with(|cache| {
            cache.borrow_mut()[place] = Some((self.serial, what, class));
        });
        class
    }

    fn intern(&self, name: TaskName, known: Known) -> u32 {
        let mut index = self.index.lock();
        if let Some(&number) = index.get(&name) {
            return number;
        }
        let number = index.len() + 1;
        if number >= MOST {
            return OTHERS;
        }
        self.put(number as u32, Class::new(name.clone(), known));
        index.insert(name, number as u32);
        number as u32
    }

    /// All classes but that of the others, in the order of their first tasks.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Class> {
        let count = self.index.lock().len() as u32;
        (1..=count).map(|number| self.at(number))
    }

    /// Puts what was known of a class in the place of what is.
    pub(crate) fn restore(&self, name: &TaskName, known: &Known) {
        let number = self.intern(name.clone(), known.clone());
        if number != OTHERS {
            self.at(number).replace(known.clone());
        }
    }
}
