//! The future that waits for permits, and waiting on a thread.
//!
//! It owns: the waiter's key in the line, from when it is enlisted until it is
//! served, refused, or given up.

use super::{
    ground,
    holders::Hold,
    line::Circle,
    permits::{Permits, Refusal, wake_all},
};
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

#[derive(Debug)]
#[must_use]
pub(crate) struct Acquire<'a, const N: usize> {
    permits: &'a Permits<N>,
    wanted: usize,
    key: Option<u64>,
}

impl<'a, const N: usize> Acquire<'a, N> {
    pub(crate) fn new(permits: &'a Permits<N>, wanted: usize) -> Self {
        Self {
            permits,
            wanted,
            key: None,
        }
    }

    /// Takes the permits if that is possible at once, or joins the line.
    fn enlist(&mut self, cx: &Context<'_>) -> Poll<Result<Hold, Refusal>> {
        let permits = self.permits;
        let waker = cx.waker().clone();
        let mut line = permits.lock();
        match permits.take_or_wait(self.wanted) {
            Ok(()) => {
                drop(line);
                return Poll::Ready(Ok(permits.taken(self.wanted)));
            }
            Err(Refusal::NoPermits) => {}
            Err(refusal) => return Poll::Ready(Err(refusal)),
        }
        let key = line.push(self.wanted, ground::task(), waker);
        // It may come before all others, and there may be enough for it.
        let mut wakers = permits.serve(&mut line, None);
        let mut refused = None;
        let answer = match line.position(key) {
            None => {
                let granted = line
                    .take_granted(key)
                    .expect("who left the line was served");
                Poll::Ready(Ok(granted.hold))
            }
            Some(at) => match permits.begin_lending(&mut line, at) {
                Ok(()) => {
                    self.key = Some(key);
                    Poll::Pending
                }
                Err(circle) => {
                    refused = Some(line.remove(at));
                    wakers.extend(permits.serve(&mut line, None));
                    Poll::Ready(Err(Refusal::Deadlock(circle)))
                }
            },
        };
        drop(line);
        drop(refused);
        wake_all(wakers);
        answer
    }

    fn look(&mut self, key: u64, cx: &Context<'_>) -> Poll<Result<Hold, Refusal>> {
        let permits = self.permits;
        let waker = cx.waker().clone();
        let task = ground::task();
        let mut line = permits.lock();
        if let Some(granted) = line.take_granted(key) {
            let mut hold = granted.hold;
            if hold.owner() != task && task.is_some() {
                hold = permits.pass_on(&mut line, hold, task, granted.wanted);
            }
            self.key = None;
            return Poll::Ready(Ok(hold));
        }
        let Some(at) = line.position(key) else {
            self.key = None;
            let refused = line.take_refused(key).map(Refusal::Deadlock);
            return Poll::Ready(Err(refused.unwrap_or(Refusal::Closed)));
        };
        let before = std::mem::replace(&mut line.waiting[at].waker, waker);
        let mut refused = None;
        if line.waiting[at].task != task {
            line.move_to(at, task);
            if let Err(circle) = permits.begin_lending(&mut line, at) {
                let waiter = line.remove(at);
                self.key = None;
                refused = Some((circle, waiter, permits.serve(&mut line, None)));
            }
        }
        drop(line);
        drop(before);
        match refused {
            None => Poll::Pending,
            Some((circle, waiter, wakers)) => {
                drop(waiter);
                wake_all(wakers);
                Poll::Ready(Err(Refusal::Deadlock(circle)))
            }
        }
    }
}

impl<const N: usize> Future for Acquire<'_, N> {
    type Output = Result<Hold, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(key) = self.key {
            return self.look(key, cx);
        }
        match self.permits.try_take(self.wanted) {
            Err(Refusal::NoPermits) => self.enlist(cx),
            other => Poll::Ready(other),
        }
    }
}

impl<const N: usize> Drop for Acquire<'_, N> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let permits = self.permits;
        let mut line = permits.lock();
        if let Some(granted) = line.take_granted(key) {
            drop(line);
            permits.release(granted.hold, granted.wanted);
        } else if let Some(at) = line.position(key) {
            let waiter = line.remove(at);
            let wakers = permits.serve(&mut line, None);
            drop(line);
            drop(waiter);
            wake_all(wakers);
        } else {
            let _ = line.take_refused(key);
        }
    }
}

/// Takes permits, and waits for them if that cannot be done at once.
#[inline]
pub(crate) async fn acquire<const N: usize>(
    permits: &Permits<N>,
    wanted: usize,
) -> Result<Hold, Refusal> {
    match permits.try_take(wanted) {
        Err(Refusal::NoPermits) => permits.acquire(wanted).await,
        at_once => at_once,
    }
}

/// The same in a lock without errors: of a deadlock, the task ends.
#[inline]
pub(crate) async fn or_end_task<const N: usize>(permits: &Permits<N>, wanted: usize) -> Hold {
    if let Ok(hold) = permits.try_take(wanted) {
        return hold;
    }
    match permits.acquire(wanted).await {
        Ok(hold) => hold,
        Err(Refusal::Deadlock(circle)) => {
            ground::end_task(circle);
            std::future::pending().await
        }
        Err(refusal) => unreachable!("it is never closed: {refusal:?}"),
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread.
///
/// # Panics
///
/// Where Tokio's `blocking_lock` does: in asynchronous code.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    // Only Tokio knows whether this thread may be blocked.
    drop(tokio::sync::Mutex::const_new(()).blocking_lock());
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        thread::park();
    }
}

/// Waits on this thread in a lock without errors.
///
/// # Panics
///
/// In asynchronous code, and of a deadlock.
#[track_caller]
pub(crate) fn block_or_panic<const N: usize>(acquire: Acquire<'_, N>) -> Hold {
    match block_on(acquire) {
        Ok(hold) => hold,
        Err(Refusal::Deadlock(circle)) => panic!("{}", Told(&circle)),
        Err(refusal) => unreachable!("it is never closed: {refusal:?}"),
    }
}

/// A circle as a sentence.
pub(crate) struct Told<'a>(pub(super) &'a Circle);

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("tasks and locks would wait for each other: ")?;
        for (_, name) in self.0 {
            write!(f, "{name:?} -> ")?;
        }
        match self.0.first() {
            Some((_, first)) => write!(f, "{first:?}"),
            None => f.write_str("(nothing)"),
        }
    }
}
