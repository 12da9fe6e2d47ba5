//! What the kernel says about this process. Zero where there is no `/proc`.

use std::{fs, thread};

/// How many cores there are for this process; engines get as many workers.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Keeps this thread, and all threads and processes that it will start, on the
/// first core that it may use. Does nothing where that cannot be done.
pub(crate) fn stay_on_one_core() {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let Ok(allowed) = sched_getaffinity(None) else {
            return;
        };
        let mut one = CpuSet::new();
        if let Some(core) = (0..CpuSet::MAX_CPU).find(|core| allowed.is_set(*core)) {
            one.set(core);
            let _ = sched_setaffinity(None, &one);
        }
    }
}

/// Times that a thread of this process has given up its core to wait, summed
/// over the threads that are alive now.
pub(crate) fn voluntary_switches() -> u64 {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return 0;
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
        .filter_map(|status| field(&status, "voluntary_ctxt_switches:"))
        .sum()
}

/// Threads of this process that are alive now.
pub(crate) fn threads() -> usize {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| field(&status, "Threads:"))
        .and_then(|threads| usize::try_from(threads).ok())
        .unwrap_or(0)
}

/// Threads of this process that are called so.
pub(crate) fn threads_named(name: &str) -> usize {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return 0;
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok())
        .filter(|comm| comm.trim_end() == name)
        .count()
}

/// Bytes of memory that this process has now.
pub(crate) fn resident() -> u64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| kilobytes(&status, "VmRSS:"))
        .map_or(0, |kilobytes| kilobytes * 1024)
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{field, kilobytes};

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Threads:\t3\nvoluntary_ctxt_switches:\t41\n\
                      nonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(41));
        assert_eq!(field(status, "Threads:"), Some(3));
        assert_eq!(field(status, "VmPeak:"), None);
        assert_eq!(kilobytes("VmRSS:\t    2048 kB\n", "VmRSS:"), Some(2048));
    }
}
