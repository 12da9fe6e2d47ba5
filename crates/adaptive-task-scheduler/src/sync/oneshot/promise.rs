//! Who is to send, and the node through which the receiver's task lends to it.
//!
//! It owns: the task that promised, and the receiver's wait: its task, its waker,
//! and while it waits the node with the edges `receiver -> node -> promised`. All
//! of it is under one lock, around which events are put off: edges change under it.
//!
//! Protocol:
//!
//! 1. A receiver that is polled and finds no value opens the node, has it lend to
//!    the promised task if there is one, and then begins its own wait, which looks
//!    for a circle.
//! 2. A promise that comes while the receiver waits moves the edge. If it was
//!    declared, the receiver is woken and begins its wait anew, since only a wait
//!    that begins looks for circles.
//! 3. The sender ends the wait before it sends or is dropped, so what was lent is
//!    back before the receiver can go on; after that no wait begins any more. A wait
//!    that begins sets WAITS, and this sets OVER, in one atomic: if no wait has ever
//!    begun, no lock is taken here; otherwise the lock finds it.
//! 4. The receiver ends its wait when it is ready, dropped, or polled by another
//!    task.
//!
//! Known race, harmless: a receiver that found no value and is overtaken by (3)
//! stays pending without an edge, until the value wakes it.
//!
//! A circle counts only through a declared promise. Of a task that was only seen
//! at the sender it is not certain that no other will send.

use super::super::line::Circle;
use crate::{
    core::{edges, finish, inverted},
    graph::node::NodeKind,
    primitives::{
        Mutex,
        atomic::{
            AtomicU8,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    put_off::PutOff,
    quietly::quietly,
    task::{
        current,
        id::{TaskId, TaskName},
        record, slab,
    },
};
use std::task::{Context, Waker};

/// A wait has begun, once.
const WAITS: u8 = 1;
/// The sender has sent or is gone.
const OVER: u8 = 2;

#[derive(Debug)]
pub(super) struct Promise {
    name: TaskName,
    flags: AtomicU8,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    promised: Option<Promised>,
    wait: Option<Wait>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Promised {
    task: TaskId,
    is_declared: bool,
}

#[derive(Debug)]
struct Wait {
    task: TaskId,
    node: TaskId,
    /// The task to which the node lends.
    lends_to: Option<TaskId>,
    waker: Waker,
    /// There is a promise that it has not looked at.
    begins_anew: bool,
}

impl Promise {
    pub(super) fn new(name: TaskName) -> Self {
        let state = State {
            promised: None,
            wait: None,
        };
        Self {
            name,
            flags: AtomicU8::new(0),
            state: Mutex::new(state),
        }
    }

    fn is_over(&self) -> bool {
        self.flags.load(Acquire) & OVER != 0
    }

    pub(super) fn name(&self) -> &TaskName {
        &self.name
    }

    /// The task has said that it will send, or it was said of it.
    pub(super) fn declare(&self, task: TaskId) {
        self.set(Promised {
            task,
            is_declared: true,
        });
    }

    /// The task was seen to have the sender. What was declared is worth more.
    pub(super) fn see(&self, task: TaskId) {
        self.set(Promised {
            task,
            is_declared: false,
        });
    }

    /// Step 2.
    fn set(&self, promised: Promised) {
        let _put_off = PutOff::begin();
        let mut state = self.state.lock();
        let before = state.promised;
        let is_news = match before {
            Some(before) => before != promised && (promised.is_declared || !before.is_declared),
            None => true,
        };
        if !is_news || self.is_over() {
            return;
        }
        state.promised = Some(promised);
        let Some(wait) = &mut state.wait else { return };
        wait.lend_to(promised);
        if !promised.is_declared {
            return;
        }
        wait.begins_anew = true;
        let waker = wait.waker.clone();
        drop(state);
        quietly(|| waker.wake());
    }

    /// The receiver was polled and found nothing (steps 1 and 4). `Err` if its wait
    /// would close a circle.
    pub(super) fn wait(&self, cx: &Context<'_>) -> Result<(), Circle> {
        if self.is_over() {
            return Ok(());
        }
        let waker = cx.waker().clone();
        let task = current::task();
        let _put_off = PutOff::begin();
        let mut state = self.state.lock();
        if let Some(wait) = &mut state.wait
            && Some(wait.task) == task
            && !wait.begins_anew
        {
            let before = std::mem::replace(&mut wait.waker, waker);
            drop(state);
            drop(before);
            return Ok(());
        }
        let before = state.wait.take();
        let before = before.map(|wait| wait.end(None));
        let begun = match task {
            Some(task) => self.begin(&mut state, task, waker),
            None => Ok(()),
        };
        drop(state);
        drop(before);
        begun
    }

    /// Step 1.
    fn begin(&self, state: &mut State, task: TaskId, waker: Waker) -> Result<(), Circle> {
        if self.flags.fetch_or(WAITS, AcqRel) & OVER != 0 {
            return Ok(());
        }
        let mut begun = Ok(());
        current::with_core_of(slab::record(task), |core| {
            let Some(node) = core.start_node(self.name.clone(), NodeKind::Channel) else {
                return;
            };
            let mut wait = Wait {
                task,
                node,
                lends_to: None,
                waker,
                begins_anew: false,
            };
            match state.promised {
                Some(promised) => wait.lend_to(promised),
                None => wait.count_circles(false),
            }
            begun = edges::begin_wait(core, task, node);
            if begun.is_ok() {
                state.wait = Some(wait);
            } else {
                end_node(node);
            }
        });
        begun
    }

    /// The sender is about to send, or to be dropped (step 3).
    pub(super) fn keep(&self) {
        if self.flags.fetch_or(OVER, AcqRel) & WAITS == 0 {
            return;
        }
        let _put_off = PutOff::begin();
        let mut state = self.state.lock();
        let wait = state.wait.take();
        let by = state.promised.map(|promised| promised.task);
        let waker = wait.map(|wait| wait.end(current::task().or(by)));
        drop(state);
        drop(waker);
    }

    /// The receiver waits no more (step 4).
    pub(super) fn give_up(&self) {
        // Only the receiver itself sets this.
        if self.flags.load(Relaxed) & WAITS == 0 {
            return;
        }
        let _put_off = PutOff::begin();
        let mut state = self.state.lock();
        let wait = state.wait.take();
        let waker = wait.map(|wait| wait.end(None));
        drop(state);
        drop(waker);
    }
}

impl Wait {
    /// Has the node lend to the task.
    fn lend_to(&mut self, promised: Promised) {
        let node = self.node;
        if self.lends_to != Some(promised.task) {
            if let Some(before) = self.lends_to.take() {
                edges::end_wait(node, before);
            }
            // The receiver's scheduler may be gone.
            let mut now = 0;
            current::with_core_of(slab::record(node), |core| now = core.tick());
            edges::pass_on(now, node, promised.task);
            self.lends_to = Some(promised.task);
        }
        self.count_circles(promised.is_declared);
    }

    /// Whether a circle through the node is a deadlock.
    fn count_circles(&self, are_deadlocks: bool) {
        let record = slab::record(self.node);
        if let Some(mut links) = record.live_links(self.node.generation()) {
            links.set_any_is_enough(!are_deadlocks);
        }
    }

    /// Ends the wait, which `by` has served. The waker is for the caller to drop,
    /// without the lock: it may be anybody's code.
    fn end(self, by: Option<TaskId>) -> Waker {
        if let Some(by) = by {
            inverted::note_member(self.task, self.node, by);
        }
        edges::end_wait(self.task, self.node);
        end_node(self.node);
        self.waker
    }
}

/// Ends a node and what it lends.
fn end_node(node: TaskId) {
    let (ending, ended) = record::end_node(slab::record(node));
    finish::serve(node, ending, None);
    finish::free(node, ended);
}
