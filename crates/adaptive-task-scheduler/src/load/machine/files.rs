//! The files that tell of the machine's load, kept open and read again.
//!
//! Each is read with one system call from its beginning (`pread`), which is how
//! the files of /proc and of control groups are made to be read again. What
//! could not be opened is unknown for good; it was looked for once.
//!
//! Elsewhere than on Linux nothing is opened and all is unknown.

use super::parse::{self, Processors, Throttling};

/// Enough for the lines that are asked for; /proc/stat is longer.
#[cfg(target_os = "linux")]
const MOST: usize = 1024;

#[derive(Debug, Default)]
struct Source(#[cfg(target_os = "linux")] Option<std::fs::File>);

impl Source {
    #[cfg(target_os = "linux")]
    fn open(path: &str) -> Self {
        Self(std::fs::File::open(path).ok())
    }

    #[cfg(not(target_os = "linux"))]
    fn open(_: &str) -> Self {
        Self()
    }

    #[cfg(target_os = "linux")]
    fn read<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        use std::os::unix::fs::FileExt;
        let mut buffer = [0; MOST];
        let length = self.0.as_ref()?.read_at(&mut buffer, 0).ok()?;
        let text = &buffer[..length];
        // The end may lie within a character; what is asked for is before it.
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&text[..error.valid_up_to()]).ok()?,
        };
        parse(text)
    }

    #[cfg(not(target_os = "linux"))]
    fn read<T>(&self, _: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        None
    }
}

/// A control group of the unified hierarchy.
#[derive(Debug)]
struct Group {
    quota: Source,
    throttling: Source,
}

#[derive(Debug)]
pub(super) struct Files {
    processors: Source,
    cpu_pressure: Source,
    io_pressure: Source,
    group_cpu_pressure: Source,
    group_io_pressure: Source,
    /// The process's group and those that it lies in: the limit of each holds.
    groups: Vec<Group>,
}

/// What the files say at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    pub(super) processors: Option<Processors>,
    pub(super) cpu_stalled: Option<f64>,
    pub(super) io_stalled: Option<f64>,
    pub(super) group_cpu_stalled: Option<f64>,
    pub(super) group_io_stalled: Option<f64>,
    pub(super) quota: Option<f64>,
    /// Of the group with the tightest limit.
    pub(super) throttling: Option<Throttling>,
}

const ROOT: &str = "/sys/fs/cgroup";

impl Files {
    pub(super) fn open() -> Self {
        let own = Source::open("/proc/self/cgroup");
        let path = own.read(|text| parse::group_path(text).map(str::to_owned));
        let directory = path.as_ref().map(|path| join(ROOT, path));
        let of_group = |name: &str| {
            let directory = directory.as_deref();
            directory.map_or_else(Source::default, |at| Source::open(&join(at, name)))
        };
        Self {
            processors: Source::open("/proc/stat"),
            cpu_pressure: Source::open("/proc/pressure/cpu"),
            io_pressure: Source::open("/proc/pressure/io"),
            group_cpu_pressure: of_group("cpu.pressure"),
            group_io_pressure: of_group("io.pressure"),
            groups: path
                .iter()
                .flat_map(|path| lineage(path))
                .map(|at| Group {
                    quota: Source::open(&join(&at, "cpu.max")),
                    throttling: Source::open(&join(&at, "cpu.stat")),
                })
                .collect(),
        }
    }

    pub(super) fn read(&self) -> Reading {
        let some = |text: &str| parse::stalled(text, "some");
        let limits = self
            .groups
            .iter()
            .filter_map(|group| Some((group.quota.read(parse::quota)?, group)));
        let tightest = limits.min_by(|(left, _), (right, _)| left.total_cmp(right));
        Reading {
            processors: self.processors.read(parse::processors),
            cpu_stalled: self.cpu_pressure.read(some),
            io_stalled: self.io_pressure.read(some),
            group_cpu_stalled: self.group_cpu_pressure.read(some),
            group_io_stalled: self.group_io_pressure.read(some),
            quota: tightest.as_ref().map(|(quota, _)| *quota),
            throttling: tightest
                .filter(|(quota, _)| quota.is_finite())
                .and_then(|(_, group)| group.throttling.read(parse::throttling)),
        }
    }
}

/// The directories of a group and of those that it lies in.
fn lineage(path: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = path;
    loop {
        all.push(join(ROOT, rest));
        match rest.rsplit_once('/') {
            Some((parent, _)) => rest = parent,
            None if rest.is_empty() => return all,
            None => rest = "",
        }
    }
}

fn join(directory: &str, name: &str) -> String {
    if name.is_empty() {
        directory.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_lies_in_all_groups_above_it() {
        let all = ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"];
        assert_eq!(lineage("a/b"), all);
        assert_eq!(lineage(""), ["/sys/fs/cgroup"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_unknown() {
        let source = Source::open("/nowhere/at all");
        assert_eq!(source.read(|_| Some(())), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_file_can_be_read_again() {
        let source = Source::open("/proc/self/stat");
        let read = || source.read(|text| text.split(' ').next()?.parse::<u32>().ok());
        assert_eq!(read(), Some(std::process::id()));
        assert_eq!(read(), Some(std::process::id()));
    }
}
