//! A run that goes on while the test looks at it, and processes that must be gone afterwards.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{Finished, Place, ats};

pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) place: Place,
}

/// Starts a run and returns when its command says that it is ready.
pub(crate) fn start(tasks: &str) -> Running {
    let place = Place::with("tasks.toml", tasks);
    let child = ats(&["run", place.file()])
        .spawn()
        .expect("ats could not be started");
    wait_until("the command is ready", || place.path("ready").exists());
    Running { child, place }
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn finish(self) -> (Finished, Place) {
        (self.child.wait_with_output().unwrap().into(), self.place)
    }
}

pub(crate) fn pid_in(path: &Path) -> Pid {
    let text = fs::read_to_string(path).expect("the command wrote its process id");
    text.trim()
        .parse()
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id")
}

#[track_caller]
pub(crate) fn assert_gone(place: &Place, files: &[&str]) {
    for file in files {
        let pid = pid_in(&place.path(file));
        // A killed process is gone a moment after the kill.
        wait_until(&format!("the {file} is gone"), || !is_running(pid));
    }
}

/// Whether the process lives; one that has ended and waits to be waited for does not.
pub(crate) fn is_running(pid: Pid) -> bool {
    match fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) {
        Ok(stat) => !stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) => !Path::new("/proc/self/stat").exists() && test_kill_process(pid).is_ok(),
    }
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < patience, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
