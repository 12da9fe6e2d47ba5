//! A command together with everything that it has started: one process group.
//!
//! The group's number is the command's process id. While the command has not been waited for, or
//! anything else in the group lives, the system gives that number to nobody else. Known race:
//! between the last look at an emptied group and a kill, the number could be given away; that
//! needs the system to run through all process ids within one `LOOK`.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpgid,
};
use tokio::process::Child;
use tokio::time::sleep;

use super::stop::{Level, Stop};

/// How long a group may take to end after it was asked to.
pub const GRACE: Duration = Duration::from_secs(5);

const LOOK: Duration = Duration::from_millis(10);

/// The process group of a command that leads it.
#[derive(Clone, Copy, Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// The group that a freshly started command leads.
    #[must_use]
    pub fn led_by(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.and_then(Pid::from_raw))
    }

    /// Asks the group to end, and kills what has not ended after [`GRACE`] or when `stop` is
    /// urgent. Returns when the command is gone and has been waited for.
    pub async fn end(self, child: &mut Child, stop: &Stop) {
        self.send(Signal::TERM);
        // A stopped process sees the request only once it goes on.
        self.send(Signal::CONT);
        let ended = async {
            let _ = child.wait().await;
            self.emptied().await;
        };
        tokio::select! {
            () = ended => return,
            () = sleep(GRACE) => {}
            () = stop.reached(Level::AtOnce) => {}
        }
        self.send(Signal::KILL);
        let _ = child.wait().await;
    }

    fn send(self, signal: Signal) {
        if let Some(group) = self.0 {
            // The only error that can happen here is that nobody is left.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Returns when no process of the group is left. To be called once the command itself has been
    /// waited for, since this waits for whatever of the group has become our child.
    async fn emptied(self) {
        let Some(group) = self.0 else { return };
        while test_kill_process_group(group) != Err(Errno::SRCH) {
            while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
            sleep(LOOK).await;
        }
    }
}

/// Makes this process the parent of what a command leaves behind. A process that has ended counts
/// as one of its group until somebody waits for it, and the usual stepparent, process 1, may be
/// slow at that or never do it, above all in containers.
pub fn adopt_orphans() {
    // Where this is not possible, stopping takes the whole of `GRACE`, and that is all.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}
