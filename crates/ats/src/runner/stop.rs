//! Who asked the run to stop, and how urgently.
//!
//! One value that only rises: go, start no more, stop gently, kill. A failed task raises it to the
//! second (unless the run keeps going), the first signal to the third, the second signal to the
//! fourth. A third signal ends this process on the spot, should it hang on its own output.

use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Exit;

/// How urgently the run should stop.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Not at all.
    Go,
    /// What runs may end, nothing new starts.
    NoMore,
    /// What runs is asked to end.
    Gently,
    /// What runs is killed.
    AtOnce,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    level: Level,
    signal: Option<Exit>,
}

/// The shared wish to stop.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<watch::Sender<Asked>>,
}

impl Default for Stop {
    fn default() -> Self {
        let go = Asked {
            level: Level::Go,
            signal: None,
        };
        Stop {
            asked: Arc::new(watch::Sender::new(go)),
        }
    }
}

impl Stop {
    /// How urgent it is now.
    #[must_use]
    pub fn level(&self) -> Level {
        self.asked.borrow().level
    }

    /// How this process ends because of a signal, if there was one.
    #[must_use]
    pub fn signal(&self) -> Option<Exit> {
        self.asked.borrow().signal
    }

    /// Nothing new shall start.
    pub fn no_more(&self) {
        self.raise(Level::NoMore, None);
    }

    /// A signal came in.
    pub fn signalled(&self, exit: Exit) {
        let next = match self.level() {
            Level::Go | Level::NoMore => Level::Gently,
            Level::Gently | Level::AtOnce => Level::AtOnce,
        };
        self.raise(next, Some(exit));
    }

    fn raise(&self, level: Level, signal: Option<Exit>) {
        self.asked.send_modify(|asked| {
            asked.level = asked.level.max(level);
            // The first signal says how the process ends.
            asked.signal = asked.signal.or(signal);
        });
    }

    /// Returns once it is at least so urgent.
    pub async fn reached(&self, level: Level) {
        let mut asked = self.asked.subscribe();
        // The sender is ours, so this cannot fail.
        let _ = asked.wait_for(|asked| asked.level >= level).await;
    }

    /// Returns once it is more urgent than `known`, with how urgent it then is.
    pub async fn above(&self, known: Level) -> Level {
        let mut asked = self.asked.subscribe();
        let risen = asked.wait_for(|asked| asked.level > known).await;
        risen.map_or(known, |asked| asked.level)
    }

    /// Listens to SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    ///
    /// The system does not let us.
    pub fn listen(&self, runtime: &Handle) -> io::Result<()> {
        let _inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        runtime.spawn(obey(self.clone(), interrupt, terminate));
        Ok(())
    }
}

async fn obey(stop: Stop, mut interrupt: Signal, mut terminate: Signal) {
    loop {
        let exit = tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        };
        if stop.level() == Level::AtOnce {
            std::process::exit(i32::from(exit.code()));
        }
        stop.signalled(exit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgency_only_rises_and_the_first_signal_counts() {
        let stop = Stop::default();
        assert_eq!((stop.level(), stop.signal()), (Level::Go, None));
        stop.signalled(Exit::Terminated);
        stop.no_more();
        assert_eq!(stop.level(), Level::Gently);
        stop.signalled(Exit::Interrupted);
        assert_eq!(stop.level(), Level::AtOnce);
        assert_eq!(stop.signal(), Some(Exit::Terminated));
    }
}
