//! Who asked the run to stop, and how urgently. Pure.
//!
//! One value that only rises: go, start no more, stop gently, kill. A failed task raises it to the
//! second (unless the run keeps going) or the third (if it is to be stopped at once), the first
//! signal to the third, the second signal to the fourth.

use crate::exit::Exit;

/// How urgently the run should stop.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Not at all.
    #[default]
    Go,
    /// What runs may end, nothing new starts.
    NoMore,
    /// What runs is asked to end.
    Gently,
    /// What runs is killed.
    AtOnce,
}

/// How urgently the run should stop, and because of which signal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stop {
    level: Level,
    signal: Option<Exit>,
}

impl Stop {
    /// How urgent it is now.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// How this process ends because of a signal, if there was one.
    #[must_use]
    pub fn signal(&self) -> Option<Exit> {
        self.signal
    }

    /// It is at least so urgent.
    pub fn raise(&mut self, level: Level) {
        self.level = self.level.max(level);
    }

    /// A signal came in.
    pub fn signalled(&mut self, exit: Exit) {
        let next = match self.signal {
            None => Level::Gently,
            Some(_) => Level::AtOnce,
        };
        self.raise(next);
        // The first signal says how the process ends.
        self.signal = self.signal.or(Some(exit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgency_only_rises_and_the_first_signal_counts() {
        let mut stop = Stop::default();
        assert_eq!((stop.level(), stop.signal()), (Level::Go, None));
        stop.signalled(Exit::Terminated);
        stop.raise(Level::NoMore);
        assert_eq!(stop.level(), Level::Gently);
        stop.signalled(Exit::Interrupted);
        assert_eq!(stop.level(), Level::AtOnce);
        assert_eq!(stop.signal(), Some(Exit::Terminated));
    }

    #[test]
    fn the_first_signal_after_a_failure_is_gentle() {
        let mut stop = Stop::default();
        stop.raise(Level::Gently);
        stop.signalled(Exit::Interrupted);
        assert_eq!(stop.level(), Level::Gently);
    }
}
