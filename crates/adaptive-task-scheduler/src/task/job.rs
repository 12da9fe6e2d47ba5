//! What a task does: a future or a closure, and then its output, in one
//! allocation.
//!
//! A [`Job`] is reached only through the state word's protocol (see
//! [`super::word`]): by the carrier that claimed the task, and after the end
//! by the holder of the handle. It neither knows its task nor any queue.

use crate::quietly::quietly;
use pin_project_lite::pin_project;
use std::{
    any::Any,
    error::Error,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

pub(crate) type Payload = Box<dyn Any + Send>;
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// How the work of a task ended, if not with a value.
pub(crate) enum Fault {
    Failed(BoxError),
    Panicked(Payload),
    TimedOut(Duration),
}

/// The type-erased job of a task.
pub(crate) trait Job: Send {
    /// Polls the work. On `Ready(Ok)` the value waits in the job; in both
    /// cases of `Ready` the work has been dropped. Never unwinds.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>>;

    /// Drops the work or the value. Never unwinds; a panic is returned.
    fn discard(self: Pin<&mut Self>) -> Result<(), Payload>;

    /// Moves the value into `target`, which must be an `Option<T>`.
    fn take(self: Pin<&mut Self>, target: &mut dyn Any);
}

/// Work that can be attempted in steps: the forms that a caller can spawn.
pub(crate) trait Attempt: Send {
    type Value: Send + 'static;

    /// Whether it is a closure, which may block its thread.
    const IS_CLOSURE: bool = false;

    fn attempt(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Value, Fault>>;
}

pin_project! {
    #[project = StageProjection]
    enum Stage<A: Attempt> {
        Work { #[pin] work: A },
        Value { value: Option<A::Value> },
        Empty,
    }
}

pin_project! {
    pub(crate) struct Cell<A: Attempt> {
        #[pin]
        stage: Stage<A>,
    }
}

impl<A: Attempt> Cell<A> {
    pub(crate) fn new(work: A) -> Self {
        let stage = Stage::Work { work };
        Self { stage }
    }
}

impl<A: Attempt> Job for Cell<A> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut stage = self.project().stage;
        // A panic leaves the work half done; it is dropped here and never
        // polled again, so nobody sees its broken state.
        let polled = catch_unwind(AssertUnwindSafe(|| match stage.as_mut().project() {
            StageProjection::Work { work } => work.attempt(cx),
            _ => unreachable!("polled after its end"),
        }));
        let (next, answer) = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(value))) => (Stage::Value { value: Some(value) }, Ok(())),
            Ok(Poll::Ready(Err(fault))) => (Stage::Empty, Err(fault)),
            Err(payload) => (Stage::Empty, Err(Fault::Panicked(payload))),
        };
        let dropped = catch_unwind(AssertUnwindSafe(|| stage.as_mut().set(next)));
        match dropped {
            Ok(()) => Poll::Ready(answer),
            Err(payload) => {
                // What it ends with instead of this may panic once more.
                quietly(|| drop(answer));
                Poll::Ready(Err(Fault::Panicked(payload)))
            }
        }
    }

    fn discard(self: Pin<&mut Self>) -> Result<(), Payload> {
        let mut stage = self.project().stage;
        catch_unwind(AssertUnwindSafe(|| stage.as_mut().set(Stage::Empty)))
    }

    fn take(self: Pin<&mut Self>, target: &mut dyn Any) {
        let target = target
            .downcast_mut::<Option<A::Value>>()
            .expect("the handle has the type of its task's value");
        if let StageProjection::Value { value } = self.project().stage.project() {
            *target = value.take();
        }
    }
}

pin_project! {
    /// A future whose output is the value.
    pub(crate) struct Plain<F> {
        #[pin]
        pub(crate) future: F,
    }
}

impl<F> Attempt for Plain<F>
where
    F: Future + Send,
    F::Output: Send + 'static,
{
    type Value = F::Output;

    fn attempt(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<F::Output, Fault>> {
        self.project().future.poll(cx).map(Ok)
    }
}

pin_project! {
    /// A future whose `Err` is a failure of the task.
    pub(crate) struct Fallible<F> {
        #[pin]
        pub(crate) future: F,
    }
}

impl<F, T, E> Attempt for Fallible<F>
where
    F: Future<Output = Result<T, E>> + Send,
    T: Send + 'static,
    E: Into<BoxError>,
{
    type Value = T;

    fn attempt(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Fault>> {
        let polled = self.project().future.poll(cx);
        polled.map(|output| output.map_err(|error| Fault::Failed(error.into())))
    }
}

/// A closure, run in one poll.
pub(crate) struct Call<F>(pub(crate) Option<F>);

// The closure is moved out before it is called, never pinned.
impl<F> Unpin for Call<F> {}

impl<F, T> Attempt for Call<F>
where
    F: FnOnce() -> T + Send,
    T: Send + 'static,
{
    type Value = T;

    const IS_CLOSURE: bool = true;

    fn attempt(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<T, Fault>> {
        let call = self.0.take().expect("a closure is polled once");
        Poll::Ready(Ok(call()))
    }
}

pin_project! {
    /// Work with a limit on its time, counted from its first poll.
    pub(crate) struct Timed<A> {
        #[pin]
        work: A,
        limit: Duration,
        #[pin]
        expiry: Option<Sleep>,
    }
}

impl<A> Timed<A> {
    pub(crate) fn new(work: A, limit: Duration) -> Self {
        Self {
            work,
            limit,
            expiry: None,
        }
    }
}

impl<A: Attempt> Attempt for Timed<A> {
    type Value = A::Value;

    const IS_CLOSURE: bool = A::IS_CLOSURE;

    fn attempt(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<A::Value, Fault>> {
        let mut this = self.project();
        if this.expiry.is_none() {
            this.expiry.set(Some(sleep(*this.limit)));
        }
        if let Poll::Ready(output) = this.work.attempt(cx) {
            return Poll::Ready(output);
        }
        let expiry = this.expiry.as_pin_mut().expect("set above");
        // Cooperative budget must not hide that the time is up: a task that
        // uses its budget in every poll would otherwise never time out.
        let expired = std::pin::pin!(tokio::task::coop::unconstrained(expiry)).poll(cx);
        expired.map(|()| Err(Fault::TimedOut(*this.limit)))
    }
}
