//! What wakes this thread: signals, and other threads that have something for it.
//!
//! Each writes a byte into one socket, which is polled together with the pipes of the commands.
//! Which signals came is asked afterwards, in flags that were set before the byte was written.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};

use crate::exit::Exit;

/// The receiving end.
#[derive(Debug)]
pub struct Signals {
    socket: UnixStream,
    waker: UnixStream,
    interrupted: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
}

/// Wakes the thread that polls.
#[derive(Debug)]
pub struct Waker(UnixStream);

impl Waker {
    /// To be called once there is something to find.
    pub fn wake(&self) {
        // A full socket wakes as well.
        let _ = (&self.0).write(&[0]);
    }
}

impl Signals {
    /// Listens from now on to SIGINT, SIGTERM and SIGHUP, and to the end of children.
    ///
    /// # Errors
    ///
    /// The system does not let us.
    pub fn listen() -> io::Result<Self> {
        let (socket, waker) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let signals = Signals {
            socket,
            waker,
            interrupted: Arc::default(),
            terminated: Arc::default(),
        };
        // Handlers run in the order in which they were registered: the flag, then the byte.
        flag::register(SIGINT, Arc::clone(&signals.interrupted))?;
        flag::register(SIGTERM, Arc::clone(&signals.terminated))?;
        for signal in [SIGINT, SIGTERM, SIGCHLD] {
            pipe::register(signal, signals.waker.try_clone()?)?;
        }
        if !is_ignored(SIGHUP) {
            flag::register(SIGHUP, Arc::clone(&signals.terminated))?;
            pipe::register(SIGHUP, signals.waker.try_clone()?)?;
        }
        Ok(signals)
    }

    /// For another thread.
    ///
    /// # Errors
    ///
    /// There are no file descriptors left.
    pub fn waker(&self) -> io::Result<Waker> {
        self.waker.try_clone().map(Waker)
    }

    /// Readable when there is something to look for.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Forgets the bytes so far; to be called before looking.
    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.socket).read(&mut bytes), Ok(64)) {}
    }

    /// The signal to stop that came, if one did, as the exit that it asks for.
    #[must_use]
    pub fn take(&self) -> Option<Exit> {
        if self.interrupted.swap(false, Ordering::AcqRel) {
            Some(Exit::Interrupted)
        } else if self.terminated.swap(false, Ordering::AcqRel) {
            Some(Exit::Terminated)
        } else {
            None
        }
    }
}

/// Whether whoever started us wants this signal to do nothing, as `nohup` does.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
