//! A job that counts what is done to it.

use crate::task::job::{Fault, Job, Payload};
use std::{
    any::Any,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

/// The value that a probe gives.
pub(crate) const VALUE: u32 = 7;

/// What was done to one probe. Counted with std's atomics: it is what is seen
/// of a model, not a part of it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    polls: AtomicUsize,
    discards: AtomicUsize,
    takes: AtomicUsize,
    drops: AtomicUsize,
}

impl Seen {
    pub(crate) fn polls(&self) -> usize {
        self.polls.load(Relaxed)
    }

    /// How often the work or the value was discarded.
    pub(crate) fn discards(&self) -> usize {
        self.discards.load(Relaxed)
    }

    pub(crate) fn takes(&self) -> usize {
        self.takes.load(Relaxed)
    }

    /// How often the job itself was dropped: once, if its place was freed once.
    pub(crate) fn drops(&self) -> usize {
        self.drops.load(Relaxed)
    }
}

type Step = Box<dyn FnMut() -> Poll<Result<(), Fault>> + Send>;

pub(crate) struct Probe {
    seen: Arc<Seen>,
    step: Step,
    value: Option<u32>,
}

impl Probe {
    /// A job that does `step` in each poll.
    pub(crate) fn new(
        step: impl FnMut() -> Poll<Result<(), Fault>> + Send + 'static,
    ) -> (Self, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        (
            Self {
                seen: Arc::clone(&seen),
                step: Box::new(step),
                value: None,
            },
            seen,
        )
    }

    /// A job that gives its value in its first poll.
    pub(crate) fn ready() -> (Self, Arc<Seen>) {
        Self::new(|| Poll::Ready(Ok(())))
    }

    /// A job that fails in its first poll.
    pub(crate) fn failing() -> (Self, Arc<Seen>) {
        Self::new(|| Poll::Ready(Err(Fault::Failed("no".into()))))
    }
}

impl Job for Probe {
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.seen.polls.fetch_add(1, Relaxed);
        let polled = (self.step)();
        if let Poll::Ready(Ok(())) = polled {
            self.value = Some(VALUE);
        }
        polled
    }

    fn discard(mut self: Pin<&mut Self>) -> Result<(), Payload> {
        self.seen.discards.fetch_add(1, Relaxed);
        self.value = None;
        Ok(())
    }

    fn take(mut self: Pin<&mut Self>, target: &mut dyn Any) {
        self.seen.takes.fetch_add(1, Relaxed);
        let target = target
            .downcast_mut::<Option<u32>>()
            .expect("a probe gives a u32");
        *target = self.value.take();
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.seen.drops.fetch_add(1, Relaxed);
    }
}
