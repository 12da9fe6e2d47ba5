//! Reads what Linux writes about load in /proc and in control groups.
//!
//! Pure: text in, numbers out; a text that is not as expected gives `None`.
//! Formats: proc_stat(5), cgroup-v2.rst and psi.rst of the kernel's
//! documentation.

/// `/proc/stat`: what all processors together did since boot, in ticks of the
/// kernel's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Processors {
    pub(crate) total: u64,
    /// Without work, or waiting for a disk.
    pub(crate) idle: u64,
}

/// The first line: `cpu  user nice system idle iowait irq softirq steal guest
/// guest_nice`. Guests are counted in user and nice already.
pub(crate) fn processors(text: &str) -> Option<Processors> {
    let mut words = text.lines().next()?.split_ascii_whitespace();
    if words.next()? != "cpu" {
        return None;
    }
    let times: Vec<u64> = words
        .take(8)
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let idle = times.get(3)?.checked_add(*times.get(4).unwrap_or(&0))?;
    let total = times
        .iter()
        .try_fold(0u64, |sum, &time| sum.checked_add(time))?;
    Some(Processors { total, idle })
}

impl Processors {
    /// The share of the processors' time since `before` that was not idle.
    pub(crate) fn busy_since(self, before: Processors) -> Option<f64> {
        let total = self.total.checked_sub(before.total).filter(|&t| t > 0)?;
        // The idle times may go back a little (proc_stat(5)).
        let idle = self.idle.saturating_sub(before.idle).min(total);
        Some((total - idle) as f64 / total as f64)
    }
}

/// One line of a pressure file (`some` or `full`): the share of the last ten
/// seconds, from 0 to 1.
pub(crate) fn stalled(text: &str, kind: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '))?;
    let percent: f64 = line
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix("avg10="))?
        .parse()
        .ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// `cpu.max`: how many processors' worth of time a group may use; infinite
/// without a limit.
pub(crate) fn quota(text: &str) -> Option<f64> {
    let mut words = text.split_ascii_whitespace();
    let (most, period) = (words.next()?, words.next()?);
    let period: u64 = period.parse().ok().filter(|&period| period > 0)?;
    if most == "max" {
        return Some(f64::INFINITY);
    }
    let most: u64 = most.parse().ok()?;
    Some(most as f64 / period as f64)
}

/// `cpu.stat`: in how many periods a group could run, and in how many of them
/// it was stopped because its quota was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Throttling {
    pub(crate) periods: u64,
    pub(crate) throttled: u64,
}

pub(crate) fn throttling(text: &str) -> Option<Throttling> {
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?
            .trim()
            .parse()
            .ok()
    };
    Some(Throttling {
        periods: value("nr_periods")?,
        throttled: value("nr_throttled")?,
    })
}

impl Throttling {
    /// The share of the periods since `before` in which the group was stopped.
    /// Without a period it was not.
    pub(crate) fn share_since(self, before: Throttling) -> f64 {
        let periods = self.periods.saturating_sub(before.periods);
        let throttled = self.throttled.saturating_sub(before.throttled);
        if periods == 0 {
            return 0.0;
        }
        (throttled as f64 / periods as f64).min(1.0)
    }
}

/// `/proc/self/cgroup`: the path of the process's group in the unified
/// hierarchy (version 2), below its mount point.
pub(crate) fn group_path(text: &str) -> Option<&str> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let path = path.trim_end_matches('/');
    // A group outside of this process's namespace cannot be reached.
    let is_reachable = !path.split('/').any(|part| part == "..");
    is_reachable.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &str = "cpu  100 5 50 800 40 1 2 2 9 0\ncpu0 100 5 50 800 40 1 2 2 9 0\nintr 1\n";
    const PRESSURE: &str = "some avg10=12.50 avg60=1.00 avg300=0.10 total=123\n\
                            full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";

    #[test]
    fn processors_are_busy_unless_idle_or_waiting_for_a_disk() {
        let before = processors(STAT).unwrap();
        assert_eq!((before.total, before.idle), (1000, 840));
        let after = processors("cpu  150 5 50 900 90 1 2 2").unwrap();
        assert_eq!(after.busy_since(before), Some(50.0 / 200.0));
        assert_eq!(before.busy_since(before), None, "no time has passed");
        assert_eq!(before.busy_since(after), None, "the counters went back");
    }

    #[test]
    fn old_kernels_have_fewer_columns() {
        let old = processors("cpu 1 2 3 4").unwrap();
        assert_eq!((old.total, old.idle), (10, 4));
    }

    #[test]
    fn damaged_processor_lines_are_unknown() {
        let overflow = format!("cpu {} 1 1 1", u64::MAX);
        for text in [
            "",
            "cpu",
            "cpu 1 2 3",
            "cpu0 1 2 3 4",
            "cpu a b c d",
            "cpu -1 2 3 4",
            &overflow,
        ] {
            assert_eq!(processors(text), None, "{text:?}");
        }
    }

    #[test]
    fn stalls_are_read_by_kind() {
        assert_eq!(stalled(PRESSURE, "some"), Some(0.125));
        assert_eq!(stalled(PRESSURE, "full"), Some(0.0));
    }

    #[test]
    fn damaged_pressure_files_are_unknown() {
        let texts = [
            "",
            "some",
            "some avg10=",
            "some avg10=x avg60=1",
            "some avg10=-1.0",
            "some avg10=100.1",
            "some avg10=NaN",
            "something avg10=1.0",
            "full avg10=1.0",
        ];
        for text in texts {
            assert_eq!(stalled(text, "some"), None, "{text:?}");
        }
    }

    #[test]
    fn quotas_are_in_processors() {
        let table = [
            ("max 100000\n", Some(f64::INFINITY)),
            ("150000 100000\n", Some(1.5)),
            ("50000 100000", Some(0.5)),
            ("", None),
            ("max", None),
            ("1000 0", None),
            ("x 100000", None),
            ("1000 -5", None),
        ];
        for (text, expected) in table {
            assert_eq!(quota(text), expected, "{text:?}");
        }
    }

    #[test]
    fn throttling_is_a_share_of_periods() {
        let text = "usage_usec 5\nnr_periods 10\nnr_throttled 4\nthrottled_usec 700\n";
        let before = throttling(text).unwrap();
        let after = Throttling {
            periods: 30,
            throttled: 9,
        };
        assert_eq!(after.share_since(before), 0.25);
        assert_eq!(before.share_since(before), 0.0);
        assert_eq!(before.share_since(after), 0.0, "the counters went back");
        for text in [
            "",
            "nr_periods 10",
            "nr_periods x\nnr_throttled 1",
            "nr_periods\nnr_throttled",
        ] {
            assert_eq!(throttling(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_group_is_that_of_the_unified_hierarchy() {
        let table = [
            ("4:memory:/a\n0::/service/web\n", Some("service/web")),
            ("0::/\n", Some("")),
            ("0::/a/\n", Some("a")),
            ("0::/../other\n", None),
            ("0::/..\n", None),
            ("1:cpu:/a\n", None),
            ("", None),
            ("0:", None),
        ];
        for (text, expected) in table {
            assert_eq!(group_path(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic_or_leave_its_range(text in "\\PC{0,200}|(cpu|some|full|nr_periods|0::/|max|[0-9 .=\n]|avg10){0,40}") {
            let _ = group_path(&text);
            let _ = processors(&text).map(|now| now.busy_since(Processors { total: 0, idle: 0 }));
            if let Some(share) = stalled(&text, "some") {
                prop_assert!((0.0..=1.0).contains(&share));
            }
            if let Some(quota) = quota(&text) {
                prop_assert!(quota >= 0.0);
            }
            if let Some(now) = throttling(&text) {
                let share = now.share_since(Throttling { periods: 0, throttled: 0 });
                prop_assert!((0.0..=1.0).contains(&share));
            }
        }

        #[test]
        fn a_cut_file_is_unknown_or_smaller(end in 0..STAT.len()) {
            if let Some(cut) = processors(&STAT[..end]) {
                prop_assert!(cut.total <= 1000);
            }
        }
    }
}
