//! What is asked of the operating system about threads.
//!
//! On Linux: the CPU time that the process has used, the id of this thread, how
//! much CPU time another thread of this process has used (1.8 us to read), and
//! whether it is asleep (39 us, so only on suspicion); and what this thread has
//! used, how often it slept and how long it waited for a core; and that this thread gives way to others.
//! Elsewhere the answers are "unknown", and a stuck poll counts as blocked.

use std::time::Duration;

/// A thread of this process, as the operating system names it; 0 if unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadId(u64);

impl ThreadId {
    pub(crate) fn of_raw(raw: u64) -> Self {
        Self(raw)
    }

    pub(crate) fn raw(self) -> u64 {
        self.0
    }
}

/// What a thread has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadUsage {
    pub(crate) cpu: Duration,
    /// How often it gave up its core to wait for something.
    pub(crate) sleeps: u64,
    /// For how long it could have run and others did; `None` if the kernel does not
    /// tell.
    pub(crate) delayed: Option<Duration>,
}

#[cfg(target_os = "linux")]
impl ThreadUsage {
    /// Of this thread; two microseconds.
    pub(crate) fn now() -> Option<Self> {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
        // SAFETY: `usage` is a valid place for the answer, which is written in
        // full when the call succeeds.
        let usage = unsafe {
            (libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) == 0)
                .then(|| usage.assume_init())
        }?;
        // The times in `usage` lag behind by up to a timer tick of the kernel.
        clock(libc::CLOCK_THREAD_CPUTIME_ID).map(|cpu| Self {
            cpu,
            sleeps: usage.ru_nvcsw as u64,
            delayed: delayed(),
        })
    }
}

/// For how long this thread has waited for a core.
#[cfg(target_os = "linux")]
fn delayed() -> Option<Duration> {
    use std::{fs::File, os::unix::fs::FileExt, str};
    thread_local! {
        static STAT: Option<File> = File::open("/proc/thread-self/schedstat").ok();
    }
    // The time on a core, the time in line for one, both in nanoseconds, and a count.
    let mut text = [0; 64];
    let read = |file: &Option<File>| file.as_ref()?.read_at(&mut text, 0).ok();
    let length = STAT.try_with(read).ok()??;
    let text = str::from_utf8(&text[..length]).ok()?;
    let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(not(target_os = "linux"))]
impl ThreadUsage {
    pub(crate) fn now() -> Option<Self> {
        None
    }
}

/// The CPU time that all threads of this process have used; `None` if unknown.
#[cfg(target_os = "linux")]
pub(crate) fn process_cpu_time() -> Option<Duration> {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn process_cpu_time() -> Option<Duration> {
    None
}

#[cfg(target_os = "linux")]
fn clock(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place for the answer; an unknown clock is
    // answered with an error.
    let answer = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (answer == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(target_os = "linux")]
impl ThreadId {
    pub(crate) fn current() -> Self {
        thread_local! {
            // SAFETY: gettid takes nothing and always succeeds.
            static TID: libc::pid_t = unsafe { libc::gettid() };
        }
        Self(TID.try_with(|&tid| tid).unwrap_or(0) as u64)
    }

    /// The CPU time that the thread has used; `None` if it is gone.
    pub(crate) fn cpu_time(self) -> Option<Duration> {
        if self.0 == 0 {
            return None;
        }
        // The clock of a thread by its id, as the kernel encodes it
        // (include/linux/posix-timers.h: CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED).
        clock((!(self.0 as libc::clockid_t) << 3) | 6)
    }

    /// Whether the thread sleeps in the kernel; `None` if that is unknown.
    pub(crate) fn is_asleep(self) -> Option<bool> {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", self.0)).ok()?;
        // The name may hold anything, so look behind its last parenthesis.
        let state = stat.rsplit(')').next()?.trim_start().chars().next()?;
        Some(matches!(state, 'S' | 'D' | 'T' | 't'))
    }
}

#[cfg(not(target_os = "linux"))]
impl ThreadId {
    pub(crate) fn current() -> Self {
        Self(0)
    }

    pub(crate) fn cpu_time(self) -> Option<Duration> {
        None
    }

    pub(crate) fn is_asleep(self) -> Option<bool> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_knows_what_it_used() {
        let before = ThreadUsage::now().unwrap();
        std::thread::sleep(Duration::from_millis(1));
        let after = ThreadUsage::now().unwrap();
        assert!(after.sleeps > before.sleeps && after.cpu >= before.cpu);
        // Not every kernel tells of the third.
        assert!(after.delayed >= before.delayed);
    }

    #[test]
    fn a_sleeping_thread_is_asleep_and_a_gone_one_unknown() {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(ThreadId::current()).unwrap();
            let _ = stopped.recv();
        });
        let id = told.recv().unwrap();
        while id.is_asleep() != Some(true) {
            std::thread::yield_now();
        }
        assert!(id.cpu_time().is_some());
        drop(stop);
        thread.join().unwrap();
        while id.is_asleep().is_some() {
            std::thread::yield_now();
        }
        assert!(process_cpu_time().is_some());
        assert_eq!(ThreadId::of_raw(0).cpu_time(), None);
        assert_eq!(ThreadId::current().is_asleep(), Some(false));
    }
}

/// Raises the niceness of this thread: it gets less of a core that others want. A
/// refusal does no harm.
#[cfg(target_os = "linux")]
pub(crate) fn be_nicer(by: u8) {
    // SAFETY: plain numbers; 0 is this thread.
    unsafe {
        let now = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, now + i32::from(by));
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn be_nicer(_by: u8) {}
