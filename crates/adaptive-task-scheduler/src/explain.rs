//! Why a task has not ended yet.

use crate::{
    core::{
        Core,
        edges::{self, Everywhere},
    },
    event::Why,
    handle::TaskState,
    lane::{
        Lane,
        seat::{Look, Seat},
    },
    priority::Priority,
    scheduler::live_tasks,
    task::{
        current,
        id::{TaskId, TaskName},
        slab, word,
    },
    waits::{circles, cycle, is_live, node::NodeKind},
};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The chain of tasks that a task waits on, down to one that waits on no other.
/// A look at a moving thing: each link was true when it was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Explanation {
    /// The task asked about, then the task it waits on, and so on.
    pub chain: Vec<Link>,
}

/// One task of an [`Explanation`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Link {
    /// The task.
    pub task: TaskId,
    /// Its name.
    pub name: TaskName,
    /// What it is, if it is no task; then it has a state and a lane in name only.
    pub node: Option<NodeKind>,
    /// Where it is on its way.
    pub state: TaskState,
    /// The priority that it was spawned with.
    pub priority: Priority,
    /// The priority at which it is served.
    pub effective_priority: Priority,
    /// Where its polls run.
    pub lane: Lane,
    /// How many unfinished tasks it waits on, of which the chain follows one. A
    /// suspended task with none waits for something that the scheduler cannot see
    /// into: I/O, a timer, a value of a channel that nobody promised, or a lock or
    /// channel of Tokio's.
    pub waits_on: usize,
    /// How long it has waited on the next task of the chain, to a tick; `None`
    /// for the last one.
    pub waited: Option<Duration>,
    /// How long it has been queued, to a tick, if it is ready.
    pub queued: Option<Duration>,
    /// If it is in a poll that has lasted for at least one look of the sentinel:
    /// for how long, to a look, and what its thread is doing. (A look comes every
    /// tick or, while only the CPU and the blocking lane work, every 50 ms.)
    pub lasting_poll: Option<Why>,
    /// Where the thread of that poll is, if it answered and is not the one that
    /// asks. Asking interrupts it for some microseconds. Names are looked up when
    /// they are shown.
    #[cfg(all(feature = "stack", target_os = "linux"))]
    pub stack: Option<crate::Stack>,
}

/// Longer chains are cut; what matters is at their two ends.
const LONGEST: usize = 64;

impl Explanation {
    pub(crate) fn of(id: TaskId) -> Self {
        let mut chain: Vec<Link> = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next.take() {
            let blockers = cycle::blockers(&Everywhere, id);
            chain.push(link(id, blockers.len()));
            if chain.len() < LONGEST {
                next = blockers
                    .into_iter()
                    .find(|on| chain.iter().all(|link| link.task != *on));
            }
            if let (Some(on), Some(last)) = (next, chain.last_mut()) {
                last.waited = waited(id, on);
            }
        }
        Self { chain }
    }
}

fn link(id: TaskId, waits_on: usize) -> Link {
    let record = slab::record(id);
    let word = record.word.load();
    let state = TaskState::of_id(id);
    let lasting = (state == TaskState::Running)
        .then(|| lasting_poll(id))
        .flatten();
    Link {
        task: id,
        name: edges::name_of(id),
        node: word.has(word::NODE).then(|| record.facts.kind()),
        state,
        priority: Priority::of_level(record.facts.own_level.load(Relaxed)),
        effective_priority: Priority::of_level(word.level()),
        lane: word.lane(),
        waits_on,
        waited: None,
        queued: (state == TaskState::Ready)
            .then(|| time_since(id, record.facts.ready_tick.load(Relaxed)))
            .flatten(),
        lasting_poll: lasting.map(|(why, _)| why),
        #[cfg(all(feature = "stack", target_os = "linux"))]
        stack: lasting.and_then(|(_, look)| stack_of(id, look)),
    }
}

/// How long one task has waited on another.
fn waited(waiter: TaskId, on: TaskId) -> Option<Duration> {
    let since = {
        let links = slab::record(waiter).live_links(waiter.generation())?;
        links.edge(on)?.since
    };
    time_since(waiter, since)
}

/// The time since a tick of a task's scheduler.
fn time_since(id: TaskId, since: u32) -> Option<Duration> {
    let mut time = None;
    current::with_core_of(slab::record(id), |core| {
        time = Some(core.config.tick * core.ticks_since(since));
    });
    time
}

fn lasting_poll(id: TaskId) -> Option<(Why, Look)> {
    let mut seen = None;
    current::with_core_of(slab::record(id), |core| seen = look_at_poll(core, id));
    seen
}

/// The seat of whoever polls the task now.
fn seat_of(core: &Core, id: TaskId) -> Option<(Arc<Seat>, Look)> {
    let mut seats = core.seats().into_iter();
    seats.find_map(|seat| {
        let look = seat.look();
        (look.is_polling() && look.task == Some(id)).then_some((seat, look))
    })
}

/// The stack of the thread of a poll, if that has not ended meanwhile.
#[cfg(all(feature = "stack", target_os = "linux"))]
fn stack_of(id: TaskId, look: Look) -> Option<crate::Stack> {
    let stack = crate::stack::of(look.thread)?;
    let mut still = None;
    current::with_core_of(slab::record(id), |core| still = seat_of(core, id));
    still.filter(|(_, now)| *now == look).map(|_| stack)
}

/// What the thread does that has been seen in a poll of the task.
fn look_at_poll(core: &Core, id: TaskId) -> Option<(Why, Look)> {
    let (seat, look) = seat_of(core, id)?;
    let since = seat.seen_since(look.poll)?;
    let polled = core.nanos(Instant::now()).saturating_sub(since);
    let polled = Duration::from_nanos(polled);
    let why = match look.thread.is_asleep() {
        Some(false) => Why::Computing { polled },
        Some(true) | None => Why::Blocked { polled },
    };
    (seat.look() == look).then_some((why, look))
}

/// Tasks that wait for each other, each for the next and the last for the
/// first.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Deadlock {
    /// The tasks with their names, in the order of waiting. A group counts as
    /// one.
    pub tasks: Vec<(TaskId, TaskName)>,
}

pub(crate) fn deadlocks(core: &Core) -> Vec<Deadlock> {
    let blockers = |id| cycle::needed(&Everywhere, id);
    let waiting = live_tasks(core)
        .map(|(id, _)| id)
        .filter(|&id| slab::record(id).word.load().has(word::LINKED));
    circles::find(waiting, blockers)
        .into_iter()
        // The walk looked at one task after the other. What still stands is one.
        .filter(|circle: &Vec<TaskId>| {
            let next = circle.iter().cycle().skip(1);
            circle
                .iter()
                .zip(next)
                .all(|(&task, on)| is_live(&Everywhere, task) && blockers(task).contains(on))
        })
        .map(|circle| Deadlock {
            tasks: circle
                .into_iter()
                .map(|id| (id, edges::name_of(id)))
                .collect(),
        })
        .collect()
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, name) in &self.tasks {
            write!(f, "{name:?} -> ")?;
        }
        match self.tasks.first() {
            Some((_, name)) => write!(f, "{name:?}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, link) in self.chain.iter().enumerate() {
            if depth > 0 {
                f.write_str("\n  waits on ")?;
            }
            write!(f, "{link}")?;
            if let Some(waited) = link.waited {
                write!(f, ", has waited for {waited:.1?}")?;
            }
            #[cfg(all(feature = "stack", target_os = "linux"))]
            for frame in link.stack.iter().flat_map(crate::Stack::frames) {
                write!(f, "\n      at {frame}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ", self.name)?;
        match self.node {
            Some(node) => write!(f, "({node})"),
            None => self.fmt_state(f),
        }?;
        if self.waits_on > 1 {
            write!(f, " [and {} more]", self.waits_on - 1)?;
        }
        Ok(())
    }
}

impl Link {
    fn fmt_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lane = self.lane;
        match self.state {
            TaskState::Blocked => f.write_str("(not started: its dependencies are unfinished)"),
            TaskState::Ready => {
                write!(
                    f,
                    "(queued on the {lane} lane at {})",
                    self.effective_priority
                )
            }
            TaskState::Running => {
                write!(
                    f,
                    "(running on the {lane} lane at {})",
                    self.effective_priority
                )
            }
            TaskState::Suspended if self.waits_on == 0 => f.write_str(
                "(suspended: waits for something unknown, such as I/O, a timer, \
                     a value of a channel, or a lock or channel of Tokio's)",
            ),
            TaskState::Suspended => f.write_str("(suspended)"),
            TaskState::Finished => f.write_str("(finished)"),
        }?;
        if let Some(queued) = self.queued {
            write!(f, ", for {queued:.1?}")?;
        }
        if let Some(why) = &self.lasting_poll {
            write!(f, ", {why}")?;
        }
        Ok(())
    }
}
