//! The stack of a thread that is stuck in a poll (feature `stack`, Linux).
//!
//! It owns: one real-time signal, its handler, and one buffer of addresses for
//! the whole process. The handler runs on the stuck thread and notes where it is;
//! what the addresses mean is looked up by whoever asks.
//!
//! Protocol, under a lock that lets one ask at a time:
//!
//! - S1. The asker changes the state from IDLE to WANTED, of the thread it asks,
//!   and signals that thread.
//! - S2. The handler changes WANTED to WRITING if its thread is the one asked. From
//!   then on the buffer is its own until it sets DONE. It calls nothing that
//!   allocates, locks or may panic.
//! - S3. The asker waits for DONE, for a limited time, reads the buffer and sets
//!   IDLE. When the time is over it changes WANTED back to IDLE, and a handler
//!   that comes later does nothing. If that fails, a handler is writing: the
//!   asker leaves it alone, and so do others until it is DONE.
//!
//! Limits:
//!
//! - Unwinding inside a signal handler takes no lock if glibc is 2.35 or newer and
//!   libgcc 12 or newer (`_dl_find_object`). With older ones a thread that is
//!   interrupted while it loads a library or unwinds would wait for a lock that
//!   it holds itself: do not turn the feature on there.
//! - Other unwinders than glibc's with libgcc, such as musl's, take locks too.
//! - The walk believes the unwind tables. Assembly whose tables are wrong where it
//!   was interrupted can make it read what is not there, which ends the process.
//! - The handler runs on the stack that it interrupts and needs some kilobytes of
//!   it. Stacks that are smaller than a thread's, of coroutines say, may be too
//!   small.
//! - System calls are restarted, except those that Linux never restarts, such as
//!   sleeping and polling; code that does not expect `EINTR` there sees it. The
//!   standard library and Tokio do expect it.
//! - The last of the real-time signals is taken that nobody has a handler for.
//!   If a thread blocks it, it is not sent there and its stack is unknown. Who
//!   takes signals without a handler, by `sigwait` or `signalfd`, must block them in
//!   all threads, as usual, before they are started.
//! - Code without unwind tables ends the stack.
//!
//! Known race, harmless: a thread may end and its id be given to another between
//! a look and the signal. Asked is only for a poll that is still the same
//! afterwards; the other's stack is thrown away.

use crate::os::ThreadId;
use std::{
    ffi::{c_int, c_void},
    fmt,
    path::PathBuf,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Deeper stacks are cut at their outer end.
const MOST: usize = 256;
/// How long a thread may take to answer. It answers as soon as the kernel lets
/// it run.
const PATIENCE: Duration = Duration::from_millis(100);

/// The phase is in the two lower bits of the state, and above them the thread
/// that is asked: so a handler that comes late answers nobody else.
const PHASE: u64 = 3;
const IDLE: u64 = 0;
const WANTED: u64 = 1;
const WRITING: u64 = 2;
const DONE: u64 = 3;

fn of_thread(thread: c_int, phase: u64) -> u64 {
    (thread as u64) << 2 | phase
}

static STATE: AtomicU64 = AtomicU64::new(IDLE);
static ADDRESSES: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
static COUNT: AtomicUsize = AtomicUsize::new(0);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where a thread was.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Where each function was, the innermost first.
    addresses: Vec<usize>,
}

impl Stack {
    /// The functions, each called by the next.
    ///
    /// Their names are looked up now, in the program's debug information. The
    /// first time that may take a second, and it reads files.
    pub fn frames(&self) -> Vec<StackFrame> {
        self.addresses.iter().copied().flat_map(resolve).collect()
    }
}

/// One function of a [`Stack`]. What the program's debug information does not
/// tell is `None`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StackFrame {
    /// Where in the program's memory it was.
    pub address: usize,
    /// What the function is called.
    pub function: Option<String>,
    /// Its source file.
    pub file: Option<PathBuf>,
    /// The line in it.
    pub line: Option<u32>,
}

impl fmt::Display for StackFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => f.write_str(function)?,
            None => write!(f, "{:#x}", self.address)?,
        }
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({}:{line})", file.display()),
            _ => Ok(()),
        }
    }
}

/// The stack of another thread of this process; `None` if it is gone, did not
/// answer in time, or is the one that asks.
pub(crate) fn of(thread: ThreadId) -> Option<Stack> {
    if thread == ThreadId::current() {
        return None;
    }
    let addresses = capture(thread.raw() as c_int)?;
    Some(Stack { addresses })
}

fn capture(thread: c_int) -> Option<Vec<usize>> {
    let signal = signal()?;
    if holds_back(thread, signal) {
        return None;
    }
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // A handler that came too late for another asker has finished by now.
    if STATE.load(Ordering::Acquire) & PHASE == DONE {
        STATE.store(IDLE, Ordering::Relaxed);
    }
    let (wanted, done) = (of_thread(thread, WANTED), of_thread(thread, DONE));
    STATE
        .compare_exchange(IDLE, wanted, Ordering::Release, Ordering::Relaxed)
        .ok()?;
    // SAFETY: tgkill takes three numbers. The signal has our handler (S2).
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) };
    if sent == 0 {
        wait_for(done);
    }
    let give_up = STATE.compare_exchange(wanted, IDLE, Ordering::Relaxed, Ordering::Acquire);
    if give_up != Err(done) {
        return None;
    }
    let count = COUNT.load(Ordering::Relaxed).min(MOST);
    let addresses = ADDRESSES[..count].iter();
    let addresses = addresses.map(|at| at.load(Ordering::Relaxed)).collect();
    STATE.store(IDLE, Ordering::Release);
    Some(addresses)
}

fn wait_for(done: u64) {
    let end = Instant::now() + PATIENCE;
    while STATE.load(Ordering::Acquire) != done && Instant::now() < end {
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// The signal, whose handler is installed at the first call. `None` if all are
/// in use.
fn signal() -> Option<c_int> {
    static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();
    *SIGNAL.get_or_init(|| {
        // What the unwinder sets up at its first use is set up outside of the
        // handler, which might have interrupted just that.
        backtrace::trace(|frame| {
            std::hint::black_box(frame.ip());
            false
        });
        // From the end that programs which number their signals use last.
        let mut all = (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev();
        all.find(|&signal| install(signal))
    })
}

/// Installs the handler unless somebody else has one. True if it is there.
fn install(signal: c_int) -> bool {
    // SAFETY: `sigaction` is plain data, for which zeros are a value: the default
    // handler, no flags, an empty mask.
    let (mut before, mut ours): (libc::sigaction, libc::sigaction) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    // SAFETY: `before` is a valid place for the answer.
    let known = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut before) };
    if known != 0 || before.sa_sigaction != libc::SIG_DFL {
        return false;
    }
    ours.sa_sigaction = handle as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: the handler keeps to S2, and `ours` is a valid description of it.
    let installed = unsafe { libc::sigaction(signal, &raw const ours, &raw mut before) } == 0;
    if installed && before.sa_sigaction != libc::SIG_DFL {
        // Somebody else came in between, and gets it back.
        // SAFETY: `before` describes the handler that was there.
        unsafe { libc::sigaction(signal, &raw const before, std::ptr::null_mut()) };
        return false;
    }
    installed
}

/// Whether the thread holds the signal back, for all that the kernel tells.
/// Signals that are never taken would be kept, and use up a limit of the user's.
fn holds_back(thread: c_int, signal: c_int) -> bool {
    let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status"));
    status.is_ok_and(|status| blocked_in(&status) & (1 << (signal - 1)) != 0)
}

/// The mask of blocked signals in a thread's status (man 5 proc); 0 if unknown.
fn blocked_in(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

extern "C" fn handle(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: gettid takes nothing and always succeeds.
    let me = unsafe { libc::gettid() };
    let (wanted, writing) = (of_thread(me, WANTED), of_thread(me, WRITING));
    let claim = STATE.compare_exchange(wanted, writing, Ordering::Acquire, Ordering::Relaxed);
    if claim.is_err() {
        return;
    }
    // SAFETY: this thread's errno is a valid place; whom we interrupt finds it as
    // it was.
    let errno = unsafe { *libc::__errno_location() };
    let interrupted = interrupted_at(context);
    let (mut count, mut is_inside) = (0, interrupted.is_none());
    let note = |frame: &backtrace::Frame| {
        let address = frame.ip() as usize;
        // The handler's own frames come first.
        is_inside |= Some(address) == interrupted;
        if is_inside && let Some(place) = ADDRESSES.get(count) {
            place.store(address, Ordering::Relaxed);
            count += 1;
        }
        count < MOST
    };
    // SAFETY: the unsynchronized form is for exactly this: nothing of the crate's
    // state is touched by walking, and nobody else asks (S1, S2).
    unsafe { backtrace::trace_unsynchronized(note) };
    COUNT.store(count, Ordering::Relaxed);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
    STATE.store(of_thread(me, DONE), Ordering::Release);
}

/// Where the thread was when the signal came; `None` if that is not known for
/// this kind of processor.
fn interrupted_at(context: *mut c_void) -> Option<usize> {
    let context: *const libc::ucontext_t = context.cast_const().cast();
    if context.is_null() {
        return None;
    }
    // One word is read and no reference made: the C library's `ucontext_t` is
    // longer than the kernel's.
    // SAFETY: with SA_SIGINFO the kernel hands a `ucontext_t` to the handler.
    #[cfg(target_arch = "x86_64")]
    return Some(unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] } as usize);
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    return Some(unsafe { (*context).uc_mcontext.pc } as usize);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    None
}

/// The functions at an address: more than one if some were inlined.
fn resolve(address: usize) -> Vec<StackFrame> {
    let mut frames = Vec::new();
    backtrace::resolve(address as *mut c_void, |symbol| {
        frames.push(StackFrame {
            address,
            function: symbol.name().map(|name| format!("{name:#}")),
            file: symbol.filename().map(Into::into),
            line: symbol.lineno(),
        });
    });
    if frames.is_empty() {
        frames.push(StackFrame {
            address,
            ..StackFrame::default()
        });
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[inline(never)]
    fn wait_here(told: &mpsc::Receiver<()>) {
        let _ = told.recv();
        std::hint::black_box(());
    }

    #[test]
    fn a_sleeping_thread_tells_where_it_sleeps_and_goes_on_sleeping() {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(ThreadId::current()).unwrap();
            wait_here(&stopped);
        });
        let id = told.recv().unwrap();
        while id.is_asleep() != Some(true) {
            std::thread::yield_now();
        }
        for _ in 0..3 {
            // On a crowded machine it may not come to answer in time.
            let stack = (0..100).find_map(|_| of(id)).expect("the thread is there");
            let frames = stack.frames();
            let names = frames.iter().filter_map(|frame| frame.function.as_ref());
            let names: Vec<_> = names.collect();
            assert!(
                names.iter().any(|name| name.contains("wait_here")),
                "{names:#?}"
            );
            assert!(
                !names.iter().any(|name| name.contains("stack::handle")),
                "{names:#?}"
            );
            assert!(!thread.is_finished());
        }
        drop(stop);
        thread.join().unwrap();
        while id.is_asleep().is_some() {
            std::thread::yield_now();
        }
        assert!(of(id).is_none(), "the thread is gone");
        assert!(of(ThreadId::of_raw(0)).is_none());
        assert!(of(ThreadId::current()).is_none());
    }

    #[test]
    fn the_mask_of_blocked_signals_is_read() {
        let status = "Name:\tSigBlk: 7\nShdPnd:\t0000000000000001\nSigBlk:\t8000000000000002\n";
        assert_eq!(blocked_in(status), 1 << 63 | 1 << 1);
        assert_eq!(blocked_in("SigBlk:\tnone\n"), 0);
        assert_eq!(blocked_in(""), 0);
    }

    #[test]
    fn a_thread_that_holds_the_signal_back_is_sent_none() {
        let signal = signal().expect("a signal is free");
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: a set is plain data, for which zeros are a value.
            let mut set = unsafe { std::mem::zeroed() };
            // SAFETY: `set` is a valid place, and this thread's mask is its own.
            unsafe {
                libc::sigemptyset(&raw mut set);
                libc::sigaddset(&raw mut set, signal);
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            }
            tell.send(ThreadId::current()).unwrap();
            let _ = stopped.recv();
            // SAFETY: as above.
            let pending = unsafe {
                libc::sigpending(&raw mut set);
                libc::sigismember(&raw const set, signal)
            };
            assert_eq!(pending, 0);
        });
        let id = told.recv().unwrap();
        assert!(of(id).is_none());
        drop(stop);
        thread.join().unwrap();
    }

    #[test]
    fn a_computing_thread_tells_too_and_many_may_ask_at_once() {
        let (tell, told) = mpsc::channel();
        let stop = std::sync::Arc::new(AtomicUsize::new(0));
        let inner = std::sync::Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            tell.send(ThreadId::current()).unwrap();
            while inner.load(Ordering::Relaxed) == 0 {
                std::hint::spin_loop();
            }
        });
        let id = told.recv().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!((0..100).any(|_| of(id).is_some())));
            }
        });
        stop.store(1, Ordering::Relaxed);
        thread.join().unwrap();
    }
}
