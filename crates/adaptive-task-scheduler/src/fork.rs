//! Fork and join inside CPU tasks, by Rayon. How it is done: [`crate::lane::pool`].

use crate::lane::pool::Fork;

/// Runs `f` with the cores of the CPU lane that nobody uses: inside a CPU task,
/// what `f` asks of [Rayon](https://docs.rs/rayon) (`par_iter`, `join`, `scope`)
/// is spread over them and the task's own. Needs the feature `rayon`.
///
/// The number of threads that compute for the lane stays within
/// [`cpu_threads`](crate::Builder::cpu_threads): the cores are taken from the
/// lane for as long as `f` runs. How many there are is settled when it begins;
/// if the lane is busy there is only the task's own, and `f` is simply called.
/// While it waits for its pieces, the calling thread runs nothing else, and so
/// do the threads of the pieces: the pool is this task's alone, so nothing less
/// important can get onto its stack.
///
/// The pieces are parts of the task. [`current_task`](crate::current_task) and
/// [`is_cancelled`](crate::is_cancelled) answer in them as in the task, and
/// [`checkpoint`](crate::checkpoint()) gives way to what is more important; call it
/// in each piece, since nothing interrupts a piece otherwise. A fork in a fork
/// only calls its closure, which is spread over the same threads.
///
/// Without `fork`, what a CPU task asks of Rayon runs on the task's thread, one
/// piece after the other, and never in Rayon's global pool. Outside of CPU tasks
/// `fork` only calls its closure, which then asks Rayon's global pool as usual. So
/// say [`cpu`](crate::TaskBuilder::cpu) where it matters: a class without a hint may
/// be moved to another lane by what was learned of it.
///
/// What is given to `rayon::spawn` belongs to no task: use `rayon::scope`, which
/// waits. A CPU task that waits by other means for what it has given to
/// `rayon::spawn` waits for ever, unless it is in a fork.
///
/// # Panics
///
/// If `f` or a piece of it panics, with that panic, when all its pieces have
/// ended.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// use adaptive_task_scheduler::{fork, Scheduler};
/// use rayon::prelude::*;
///
/// let scheduler = Scheduler::new();
/// let sum = scheduler.cpu(|| fork(|| (0..1_000u64).into_par_iter().sum::<u64>()));
/// assert_eq!(sum.await.unwrap(), 499_500);
/// # })
/// ```
pub fn fork<F, R>(f: F) -> R
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    match Fork::begin() {
        Some(fork) => fork.run(f),
        None => f(),
    }
}
