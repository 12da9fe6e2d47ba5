//! Watches: the end of a task, seen by many.
//!
//! A [`Watch`] shares one small state with its clones. The state is linked to
//! the task when the watch is made, and told of the end by whoever ends the
//! task. Like a handle, a watch that is awaited inside a task stands for an
//! edge.

use crate::{
    core::edges,
    error::TaskError,
    handle::TaskState,
    primitives::Mutex,
    quietly::quietly,
    task::{
        current,
        id::{TaskId, TaskName},
        slab,
    },
    waits::links::Watching,
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Watches a task end, without a claim to its value.
///
/// It can be cloned and awaited by many, any number of times. Awaited inside
/// another task it lends that task's priority, as the handle does.
#[derive(Debug)]
pub struct Watch {
    watched: Arc<Watched>,
    waiter: Option<TaskId>,
    /// This watch's place among the wakers.
    seat: Option<usize>,
}

#[derive(Debug)]
struct Watched {
    id: TaskId,
    name: TaskName,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ended: Option<Result<(), TaskError>>,
    wakers: Vec<Option<Waker>>,
}

impl Watching for Watched {
    fn ended(&self, _: TaskId, error: Option<&TaskError>) {
        let wakers = {
            let mut state = self.state.lock();
            state.ended = Some(error.map_or(Ok(()), |error| Err(error.clone())));
            std::mem::take(&mut state.wakers)
        };
        for waker in wakers.into_iter().flatten() {
            quietly(|| waker.wake());
        }
    }
}

impl Watch {
    pub(crate) fn of(id: TaskId) -> Self {
        let name = edges::name_of(id);
        let watched = Arc::new(Watched {
            id,
            name,
            state: Mutex::default(),
        });
        let record = slab::record(id);
        if let Some(mut links) = record.live_links(id.generation()) {
            links.rare().watchers.push(Arc::clone(&watched) as _);
        } else {
            let error = record
                .links_of(id.generation())
                .and_then(|links| links.error());
            watched.state.lock().ended = Some(error.map_or(Ok(()), Err));
        }
        Self {
            watched,
            waiter: None,
            seat: None,
        }
    }

    pub(crate) fn of_error(error: TaskError) -> Self {
        let (id, name) = (error.task(), error.name().clone());
        let state = State {
            ended: Some(Err(error)),
            wakers: Vec::new(),
        };
        let watched = Arc::new(Watched {
            id,
            name,
            state: Mutex::new(state),
        });
        Self {
            watched,
            waiter: None,
            seat: None,
        }
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.watched.id
    }

    /// The task's name.
    pub fn name(&self) -> TaskName {
        self.watched.name.clone()
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.watched.state.lock().ended.is_some()
    }

    /// Where the task is on its way.
    pub fn state(&self) -> TaskState {
        if self.is_finished() {
            TaskState::Finished
        } else {
            TaskState::of_id(self.id())
        }
    }

    pub(crate) fn error(&self) -> Option<TaskError> {
        self.watched.state.lock().ended.clone()?.err()
    }

    fn end_wait(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            let watched = &self.watched;
            edges::end_wait_on(waiter, watched.id, || watched.name.clone());
        }
    }

    fn wait(&mut self) -> Result<(), TaskError> {
        let now = current::task();
        if self.waiter == now {
            return Ok(());
        }
        self.end_wait();
        let Some(now) = now else { return Ok(()) };
        let begun = current::carrying(|carrying| match carrying {
            Some(carrying) => edges::begin_wait(&carrying.core, now, self.watched.id),
            None => Ok(()),
        });
        match begun {
            Ok(()) => {
                self.waiter = Some(now);
                Ok(())
            }
            Err(path) => Err(TaskError::of_cycle(now, edges::name_of(now), path)),
        }
    }

    /// Leaves a waker. The end, if it came meanwhile.
    fn leave_waker(&mut self, waker: &Waker) -> Option<Result<(), TaskError>> {
        let waker = waker.clone();
        let mut state = self.watched.state.lock();
        if state.ended.is_some() {
            return state.ended.clone();
        }
        let vacant = state.wakers.iter().position(Option::is_none);
        let seat = self.seat.or(vacant).unwrap_or_else(|| {
            state.wakers.push(None);
            state.wakers.len() - 1
        });
        let before = state.wakers[seat].replace(waker);
        self.seat = Some(seat);
        drop(state);
        drop(before);
        None
    }
}

impl Future for Watch {
    type Output = Result<(), TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = self.watched.state.lock().ended.clone();
        if let Some(ended) = ended {
            self.end_wait();
            return Poll::Ready(ended);
        }
        if let Err(cycle) = self.wait() {
            return Poll::Ready(Err(cycle));
        }
        match self.leave_waker(cx.waker()) {
            Some(ended) => {
                self.end_wait();
                Poll::Ready(ended)
            }
            None => Poll::Pending,
        }
    }
}

impl Clone for Watch {
    fn clone(&self) -> Self {
        Self {
            watched: Arc::clone(&self.watched),
            waiter: None,
            seat: None,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end_wait();
        if let Some(seat) = self.seat {
            let waker = self
                .watched
                .state
                .lock()
                .wakers
                .get_mut(seat)
                .and_then(Option::take);
            drop(waker);
        }
    }
}
