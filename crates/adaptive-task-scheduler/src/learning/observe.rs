//! Tells classes what their tasks did, and tasks what their classes learned.

use super::{
    class::{Class, Key},
    first_lane::{Change, LONG},
    probe::Probe,
    watch,
};
use crate::{
    core::{Core, start::Description},
    event::Event,
    lane::{
        Lane,
        seat::{Seat, sign},
    },
    task::{id::TaskId, record::Record},
};
use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// What a spawned task gets from its class.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) class: u32,
    pub(crate) lane: Lane,
    pub(crate) watch: u8,
}

impl Core {
    /// How a described task begins.
    pub(crate) fn first_step(&self, description: &Description) -> Start {
        let hinted = u8::from(description.is_hinted) * watch::HINTED;
        if !self.config.learning {
            return Start {
                class: super::class::OTHERS,
                lane: description.lane,
                watch: hinted,
            };
        }
        let key = match &description.name {
            Some(name) => Key::Name(name),
            None => Key::Site(description.site),
        };
        let number = self.classes.number_of(key);
        let class = self.classes.at(number);
        let learned = class.lane().filter(|_| !description.is_hinted);
        Start {
            class: number,
            lane: learned.unwrap_or(description.lane),
            watch: class.watch(self.last_tick()) | hinted,
        }
    }

    pub(crate) fn class_of(&self, record: &Record) -> &Class {
        self.classes.at(record.facts.class.load(Relaxed))
    }

    /// A poll begins. It is measured if it is the carrier's first since the
    /// sentinel's last look, or if its task is watched.
    #[inline]
    pub(crate) fn observe(&self, record: &Record, seat: &Seat) -> Option<Probe> {
        let is_watched = record.facts.watch.load(Relaxed) & watch::POLLS != 0;
        if seat.signs() == 0 && !is_watched {
            return None;
        }
        let is_first = seat.signs() != 0;
        seat.clear_signs();
        let closely = is_watched && self.still_wants(record);
        (is_first || closely).then(|| Probe::begin(closely))
    }

    /// The poll returned. The task still belongs to its claimant.
    #[inline]
    pub(crate) fn observed(
        &self,
        id: TaskId,
        record: &Record,
        lane: Lane,
        seat: &Seat,
        probe: Option<Probe>,
    ) {
        match probe {
            Some(probe) => self.measured(id, record, lane, probe),
            None if seat.signs() & sign::LASTED != 0 => self.suspect(record),
            None => {}
        }
    }

    /// Whether the class of a watched task still wants to know of its polls. A
    /// million tasks may have been spawned while it did.
    fn still_wants(&self, record: &Record) -> bool {
        let wants = self.class_of(record).wants_polls();
        if !wants {
            let watch = record.facts.watch.load(Relaxed);
            let less = watch & !(watch::POLLS | watch::WHOLE);
            record.facts.watch.store(less, Relaxed);
        }
        wants
    }

    #[cold]
    fn suspect(&self, record: &Record) {
        if self.config.learning {
            self.class_of(record).suspect();
            let watch = record.facts.watch.load(Relaxed) & !watch::WHOLE;
            record.facts.watch.store(watch | watch::POLLS, Relaxed);
        }
    }

    #[cold]
    fn measured(&self, id: TaskId, record: &Record, lane: Lane, probe: Probe) {
        if !self.config.learning {
            return;
        }
        let watch = record.facts.watch.load(Relaxed);
        let poll = probe.end();
        let class = self.class_of(record);
        if watch & watch::POLLS == 0 {
            class.sampled(poll.wall);
            if poll.wall >= LONG {
                self.suspect(record);
            }
            return;
        }
        record.facts.add_polled(poll.wall);
        if let Some(change) = class.polled(poll, home(record), self.since_epoch()) {
            self.announce(class, change);
        }
        if !class.wants_polls() {
            // What is left of a long life is sampled.
            let less = watch & !(watch::POLLS | watch::WHOLE);
            record.facts.watch.store(less, Relaxed);
        }
        if watch & watch::HINTED == 0
            && let Some(better) = class.lane()
            && lane == home(record)
        {
            record.facts.note_relocated_after(poll.wall);
            let _ = record.word.set_lane(id.generation(), better);
        }
    }

    fn announce(&self, class: &Class, change: Change) {
        self.events.emit(|at| match change {
            Change::Learned(learned) => Event::Learned {
                at,
                class: class.name.clone(),
                lane: learned.lane,
                long_polls: learned.from.long,
                cpu_share: learned.from.cpu_share().unwrap_or_default(),
            },
            Change::Unlearned(learned) => Event::Unlearned {
                at,
                class: class.name.clone(),
                lane: learned.lane,
            },
        });
    }

    /// The task's first poll begins.
    pub(crate) fn note_begin(&self, record: &Record) {
        if record.facts.watch.load(Relaxed) & watch::TOTAL != 0 {
            let now = self.nanos(Instant::now());
            record.facts.started.store(now, Relaxed);
        }
    }

    /// The task is about to end, of itself or not.
    #[inline]
    pub(crate) fn note_end(&self, record: &Record, failed: bool) {
        if failed || record.facts.watch.load(Relaxed) & watch::TOTAL != 0 {
            self.tell_end(record, failed);
        }
    }

    #[cold]
    fn tell_end(&self, record: &Record, failed: bool) {
        if !self.config.learning {
            return;
        }
        let class = self.class_of(record);
        let facts = &record.facts;
        if failed {
            class.failed();
            return;
        }
        let started = facts.started.load(Relaxed);
        if started == 0 {
            return;
        }
        let total = self.nanos(Instant::now()).saturating_sub(started);
        let whole = facts.watch.load(Relaxed) & watch::WHOLE != 0;
        let polled = whole.then(|| facts.polled());
        class.ended(Duration::from_nanos(total), polled);
    }
}

/// Where a task begins when nothing is learned.
fn home(record: &Record) -> Lane {
    if record.facts.is_closure() {
        Lane::Cpu
    } else {
        Lane::Io
    }
}
