//! What nodes do, with their types erased.
//!
//! A work puts its output into the place of its node. One that can be begun twice (it is
//! retried, or given up at a time-out while its closure goes on) asks its [`Claim`] first:
//! one beginning of it counts.

use super::{arena::Place, inputs::Inputs, run::Giving, state::State};
use crate::{lane::Lane, primitives::Mutex, task::job::BoxError};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
};

pub(super) type Attempt = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// Whose end counts, of an attempt and of the time-out that gives it up.
#[derive(Debug, Default)]
pub(super) struct Claim(AtomicBool);

impl Claim {
    /// True for the first who asks.
    pub(super) fn is_first(&self) -> bool {
        !self.0.swap(true, AcqRel)
    }
}

/// A closure: called where it runs.
pub(super) type Call = Box<dyn Fn(&State, Option<&Claim>) -> Result<(), BoxError> + Send + Sync>;

/// A closure that gives a future.
pub(super) type Begin = Box<dyn Fn(&Arc<State>) -> Attempt + Send + Sync>;

/// A closure for each of the items that another node gives.
pub(super) trait Expand: Send + Sync {
    fn expand(&self, state: &Arc<State>) -> Arc<dyn Items>;
}

/// The items of one node in one run.
pub(super) trait Items: Send + Sync {
    fn len(&self) -> usize;
    /// Works on one item, by a closure.
    fn call(&self, item: usize) -> Result<(), BoxError>;
    /// Works on one item, by a future.
    fn begin(self: Arc<Self>, item: usize) -> Attempt;
    /// All items have been worked on, each well.
    fn finish(&self);
}

pub(super) enum Work {
    Call(Lane, Call),
    Begin(Begin),
    Expand(Lane, Box<dyn Expand>),
    /// Its value is given when a run is begun.
    Given,
    /// Nodes that only gather others.
    Nothing,
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Work::Call(..) => "Call",
            Work::Begin(_) => "Begin",
            Work::Expand(..) => "Expand",
            Work::Given => "Given",
            Work::Nothing => "Nothing",
        })
    }
}

pub(super) fn call<I, T, F>(inputs: I::Places, output: Place<T>, f: F) -> Call
where
    I: Inputs,
    T: Send + Sync + 'static,
    F: for<'v> Fn(I::Given<'v>) -> Result<T, BoxError> + Send + Sync + 'static,
{
    Box::new(move |state, claim| {
        let value = f(I::give(state, inputs))?;
        if claim.is_none_or(Claim::is_first) {
            state.put(output, value);
        }
        Ok(())
    })
}

pub(super) fn begin<I, T, F, W>(inputs: I::Places, output: Place<T>, f: F) -> Begin
where
    I: Inputs,
    T: Send + Sync + 'static,
    F: Fn(I::Kept) -> W + Send + Sync + 'static,
    W: Future<Output = Result<T, BoxError>> + Send + 'static,
{
    Box::new(move |state| {
        let future = f(I::keep(state, inputs));
        let state = Arc::clone(state);
        Box::pin(async move {
            state.put(output, future.await?);
            Ok(())
        })
    })
}

pub(super) fn subgraph<I, T, F>(inputs: I::Places, output: Place<T>, f: F) -> Begin
where
    I: Inputs,
    T: Send + Sync + 'static,
    F: Fn(I::Kept) -> Giving<T> + Send + Sync + 'static,
{
    Box::new(move |state| {
        let giving = f(I::keep(state, inputs));
        let state = Arc::clone(state);
        Box::pin(async move {
            let value = giving.output(state.scheduler.clone()).await?;
            state.put(output, value);
            Ok(())
        })
    })
}

/// How an item is worked on: by a closure, or by a future.
pub(super) trait OnItem<T, U>: Send + Sync + 'static {
    fn call(&self, item: &T) -> Result<U, BoxError>;
    fn begin(&self, item: &T) -> Pin<Box<dyn Future<Output = Result<U, BoxError>> + Send>>;
}

pub(super) struct CallItem<F>(pub(super) F);

impl<T, U, F> OnItem<T, U> for CallItem<F>
where
    U: Send + 'static,
    F: Fn(&T) -> Result<U, BoxError> + Send + Sync + 'static,
{
    fn call(&self, item: &T) -> Result<U, BoxError> {
        self.0(item)
    }

    fn begin(&self, item: &T) -> Pin<Box<dyn Future<Output = Result<U, BoxError>> + Send>> {
        Box::pin(std::future::ready(self.0(item)))
    }
}

pub(super) struct BeginItem<F>(pub(super) F);

impl<T, U, F, W> OnItem<T, U> for BeginItem<F>
where
    F: Fn(&T) -> W + Send + Sync + 'static,
    W: Future<Output = Result<U, BoxError>> + Send + 'static,
{
    fn call(&self, _: &T) -> Result<U, BoxError> {
        unreachable!("futures are begun")
    }

    fn begin(&self, item: &T) -> Pin<Box<dyn Future<Output = Result<U, BoxError>> + Send>> {
        Box::pin(self.0(item))
    }
}

pub(super) struct Expanding<T, U, F> {
    pub(super) items: Place<Vec<T>>,
    pub(super) output: Place<Vec<U>>,
    pub(super) f: Arc<F>,
}

impl<T, U, F> Expand for Expanding<T, U, F>
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
    F: OnItem<T, U>,
{
    fn expand(&self, state: &Arc<State>) -> Arc<dyn Items> {
        let items = state.read(self.items).len();
        Arc::new(Expanded {
            state: Arc::clone(state),
            items: self.items,
            output: self.output,
            results: (0..items).map(|_| Mutex::new(None)).collect(),
            f: Arc::clone(&self.f),
        })
    }
}

struct Expanded<T, U, F> {
    state: Arc<State>,
    items: Place<Vec<T>>,
    output: Place<Vec<U>>,
    results: Box<[Mutex<Option<U>>]>,
    f: Arc<F>,
}

impl<T, U, F> Items for Expanded<T, U, F>
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
    F: OnItem<T, U>,
{
    fn len(&self) -> usize {
        self.results.len()
    }

    fn call(&self, item: usize) -> Result<(), BoxError> {
        let value = self.f.call(&self.state.read(self.items)[item])?;
        *self.results[item].lock() = Some(value);
        Ok(())
    }

    fn begin(self: Arc<Self>, item: usize) -> Attempt {
        let future = self.f.begin(&self.state.read(self.items)[item]);
        Box::pin(async move {
            let value = future.await?;
            *self.results[item].lock() = Some(value);
            Ok(())
        })
    }

    fn finish(&self) {
        let results = self.results.iter().filter_map(|it| it.lock().take());
        self.state.put(self.output, results.collect());
    }
}
