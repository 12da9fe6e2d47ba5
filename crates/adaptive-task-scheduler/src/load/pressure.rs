//! One number for how pressed a scheduler is.
//!
//! Pure: a load goes in, a number with its reasons comes out.

use super::{LaneLoad, Load};
use crate::priority::{LEVELS, Priority};
use std::{fmt, time::Duration};

/// How pressed a scheduler is, for whoever can take load off it: 0 is at ease,
/// 1 is as bad as is told apart.
///
/// Each reason has a pressure of its own, and the whole is that of the strongest
/// one: several mild reasons do not add up to a strong one, and whoever wants to
/// act sees on what.
///
/// A reason's pressure rises from 0 to its highest between two values of what
/// is measured, in proportion; for delays in proportion to their logarithm:
///
/// | reason | measured | 0 at | highest at | highest |
/// | --- | --- | --- | --- | --- |
/// | [`Delay`](Reason::Delay) | p99 of the time in line of a level, on any lane: `Monitoring` | 0.2 ms | 20 ms | 1 |
/// | | `Production` | 1 ms | 100 ms | 1 |
/// | | `Mid` | 10 ms | 1 s | 1 |
/// | | `Batch` | 1 s | 100 s | 1 |
/// | | `Free` | never | | |
/// | [`Busy`](Reason::Busy) | busy share of a lane over the last second | 0.7 | 1 | 0.5 |
/// | [`StuckPolls`](Reason::StuckPolls) | stuck polls for each slot | 0 | 2 | 1 |
/// | [`Threads`](Reason::Threads) | threads of the scheduler's own, of as many as there may be | 0.5 | 1 | 1 |
/// | [`Cpu`](Reason::Cpu) | time stalled for a processor, in the process's control group, else on the machine | 0.1 | 0.6 | 1 |
/// | [`Throttled`](Reason::Throttled) | periods in which the control group was stopped | 0 | 0.5 | 1 |
/// | [`Io`](Reason::Io) | time stalled for a disk, in the process's control group, else on the machine | 0.1 | 0.6 | 1 |
///
/// A busy lane alone is no more than half a reason: it is full, and nobody
/// important waits. Where stalls are unknown, the share of the machine's
/// processors in use counts instead, from 0.8 to 1 and up to 0.5.
///
/// The values are guesses, in the order of magnitude of what people notice
/// (0.1 s) and of a tick (1 ms); whoever knows better computes from
/// [`Load`] what it likes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Pressure {
    /// From 0 to 1.
    pub value: f64,
    /// Each reason with its pressure (above 0, at most 1), the strongest first.
    pub reasons: Vec<(Reason, f64)>,
}

/// A reason for [`Pressure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Tasks of this level wait long in line.
    Delay(Priority),
    /// A lane's carriers are hardly ever free.
    Busy(crate::Lane),
    /// Polls do not return.
    StuckPolls,
    /// The scheduler may hardly start another thread.
    Threads,
    /// Threads wait for a processor.
    Cpu,
    /// The control group's quota is used up again and again.
    Throttled,
    /// Threads wait for a disk.
    Io,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Delay(priority) => write!(f, "{priority} tasks wait long in line"),
            Reason::Busy(lane) => write!(f, "the {lane} lane is busy"),
            Reason::StuckPolls => f.write_str("polls are stuck"),
            Reason::Threads => f.write_str("the limit of threads is near"),
            Reason::Cpu => f.write_str("threads wait for a processor"),
            Reason::Throttled => f.write_str("the quota of processor time is used up"),
            Reason::Io => f.write_str("threads wait for a disk"),
        }
    }
}

impl fmt::Display for Pressure {
    /// `0.62: production tasks wait long in line (0.62), the cpu lane is busy (0.50)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.value)?;
        for (at, (reason, share)) in self.reasons.iter().enumerate() {
            let before = if at == 0 { ": " } else { ", " };
            write!(f, "{before}{reason} ({share:.2})")?;
        }
        Ok(())
    }
}

/// By level: at which delay its pressure is 1. It begins at a hundredth.
const UNBEARABLE: [Option<Duration>; LEVELS] = [
    None,
    Some(Duration::from_secs(100)),
    Some(Duration::from_secs(1)),
    Some(Duration::from_millis(100)),
    Some(Duration::from_millis(20)),
];

/// The pressure of a load.
pub(super) fn of(load: &Load) -> Pressure {
    let lanes = [&load.io, &load.cpu, &load.blocking];
    let slots = load.io.capacity.max(1) as f64;
    let threads = load.threads as f64 / load.most_threads.max(1) as f64;
    let machine = &load.machine;
    let throttled = machine.group_throttled.unwrap_or(0.0);
    let stalled_io = machine.group_io_stalled.or(machine.io_stalled);
    let mut reasons = vec![
        (
            Reason::StuckPolls,
            ramp(load.stuck_polls as f64 / slots, 0.0, 2.0),
        ),
        (Reason::Threads, ramp(threads, 0.5, 1.0)),
        (Reason::Cpu, of_cpu(load)),
        (Reason::Throttled, ramp(throttled, 0.0, 0.5)),
        (Reason::Io, ramp(stalled_io.unwrap_or(0.0), 0.1, 0.6)),
    ];
    reasons.extend(lanes.map(|lane| (Reason::Busy(lane.lane), of_busy(lane))));
    reasons.extend((0..LEVELS).map(|level| {
        let worst = lanes.map(|lane| of_delay(lane, level));
        let worst = worst.into_iter().fold(0.0, f64::max);
        (Reason::Delay(Priority::of_level(level as u8)), worst)
    }));
    reasons.retain(|(_, share)| *share > 0.0);
    reasons.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    Pressure {
        value: reasons.first().map_or(0.0, |(_, share)| *share),
        reasons,
    }
}

fn of_busy(lane: &LaneLoad) -> f64 {
    0.5 * ramp(lane.busy.last_second, 0.7, 1.0)
}

fn of_cpu(load: &Load) -> f64 {
    let machine = &load.machine;
    match machine.group_cpu_stalled.or(machine.cpu_stalled) {
        Some(stalled) => ramp(stalled, 0.1, 0.6),
        None => 0.5 * ramp(machine.machine_cpu.unwrap_or(0.0), 0.8, 1.0),
    }
}

fn of_delay(lane: &LaneLoad, level: usize) -> f64 {
    let (Some(delay), Some(unbearable)) = (lane.delays[level], UNBEARABLE[level]) else {
        return 0.0;
    };
    let share = delay.p99.as_secs_f64() / unbearable.as_secs_f64();
    // Two powers of ten, from a hundredth to the whole.
    ramp(share.max(f64::MIN_POSITIVE).log10(), -2.0, 0.0)
}

/// Rises from 0 at `from` to 1 at `to`. What is no number is no pressure.
fn ramp(value: f64, from: f64, to: f64) -> f64 {
    if value.is_nan() {
        return 0.0;
    }
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Lane,
        load::{Busy, delay::Delay},
    };
    use proptest::prelude::*;

    fn lane(lane: Lane) -> LaneLoad {
        LaneLoad {
            lane,
            busy: Busy::default(),
            capacity: 2,
            threads: 2,
            ready: [0; LEVELS],
            delays: [None; LEVELS],
        }
    }

    fn at_ease() -> Load {
        Load {
            is_idle: true,
            io: lane(Lane::Io),
            cpu: lane(Lane::Cpu),
            blocking: lane(Lane::Blocking),
            steals: 0,
            relief_carriers: 0,
            stuck_polls: 0,
            threads: 2,
            most_threads: 100,
            machine: Default::default(),
        }
    }

    fn delay(priority: Priority, p99: Duration) -> Option<Delay> {
        Some(Delay {
            priority,
            p50: Duration::ZERO,
            p99,
            samples: 1,
        })
    }

    /// What a change of a load at ease makes of its pressure.
    fn check(change: impl FnOnce(&mut Load), expected: &[(Reason, f64)]) {
        let mut load = at_ease();
        change(&mut load);
        let pressure = load.pressure();
        let highest = expected.iter().map(|(_, share)| *share).fold(0.0, f64::max);
        assert!((pressure.value - highest).abs() < 1e-9, "{pressure}");
        assert_eq!(pressure.reasons.len(), expected.len(), "{pressure}");
        for ((reason, share), (wanted, of)) in pressure.reasons.iter().zip(expected) {
            assert_eq!(reason, wanted, "{pressure}");
            assert!((share - of).abs() < 1e-9, "{pressure}");
        }
    }

    #[test]
    fn at_ease_there_is_no_pressure() {
        check(|_| {}, &[]);
        assert_eq!(at_ease().pressure().to_string(), "0.00");
    }

    #[test]
    fn important_tasks_that_wait_press_by_the_logarithm() {
        let production = |p99| {
            move |load: &mut Load| {
                load.cpu.delays[3] = delay(Priority::Production, Duration::from_millis(p99));
            }
        };
        let reason = Reason::Delay(Priority::Production);
        check(production(1), &[]);
        check(production(10), &[(reason, 0.5)]);
        check(production(100), &[(reason, 1.0)]);
        check(production(9_000), &[(reason, 1.0)]);
        let free = |load: &mut Load| {
            load.io.delays[0] = delay(Priority::Free, Duration::from_secs(60));
        };
        check(free, &[]);
    }

    #[test]
    fn the_worst_lane_stands_for_a_level() {
        let both = |load: &mut Load| {
            load.io.delays[2] = delay(Priority::Mid, Duration::from_millis(100));
            load.cpu.delays[2] = delay(Priority::Mid, Duration::from_secs(1));
        };
        check(both, &[(Reason::Delay(Priority::Mid), 1.0)]);
    }

    #[test]
    fn a_full_lane_alone_is_half_a_reason() {
        check(
            |load| load.cpu.busy.last_second = 1.0,
            &[(Reason::Busy(Lane::Cpu), 0.5)],
        );
        check(|load| load.cpu.busy.last_second = 0.7, &[]);
    }

    #[test]
    fn stuck_polls_and_threads_press_by_their_share() {
        check(|load| load.stuck_polls = 2, &[(Reason::StuckPolls, 0.5)]);
        check(|load| load.stuck_polls = 9, &[(Reason::StuckPolls, 1.0)]);
        check(|load| load.threads = 75, &[(Reason::Threads, 0.5)]);
    }

    #[test]
    fn the_group_is_asked_before_the_machine() {
        let both = |load: &mut Load| {
            load.machine.cpu_stalled = Some(1.0);
            load.machine.group_cpu_stalled = Some(0.35);
            load.machine.io_stalled = Some(0.6);
        };
        check(both, &[(Reason::Io, 1.0), (Reason::Cpu, 0.5)]);
        check(
            |load| load.machine.machine_cpu = Some(1.0),
            &[(Reason::Cpu, 0.5)],
        );
        check(
            |load| load.machine.group_throttled = Some(0.25),
            &[(Reason::Throttled, 0.5)],
        );
    }

    #[test]
    fn it_reads_with_its_reasons() {
        let mut load = at_ease();
        load.stuck_polls = 4;
        load.cpu.busy.last_second = 1.0;
        assert_eq!(
            load.pressure().to_string(),
            "1.00: polls are stuck (1.00), the cpu lane is busy (0.50)"
        );
    }

    proptest! {
        #[test]
        fn it_stays_between_0_and_1_whatever_is_measured(
            numbers in prop::collection::vec(any::<f64>(), 6),
            p99 in any::<u64>(),
            stuck in any::<usize>(),
        ) {
            let mut load = at_ease();
            load.io.busy.last_second = numbers[0];
            load.machine.machine_cpu = Some(numbers[1]);
            load.machine.cpu_stalled = Some(numbers[2]);
            load.machine.group_throttled = Some(numbers[3]);
            load.machine.group_io_stalled = Some(numbers[4]);
            load.io.delays[4] = delay(Priority::Monitoring, Duration::from_nanos(p99));
            load.stuck_polls = stuck;
            let pressure = load.pressure();
            prop_assert!((0.0..=1.0).contains(&pressure.value), "{pressure}");
            for (_, share) in pressure.reasons {
                prop_assert!(share > 0.0 && share <= pressure.value);
            }
        }

        #[test]
        fn more_delay_is_never_less_pressure(shorter in any::<u32>(), more in any::<u32>()) {
            let of = |nanos: u64| {
                let mut load = at_ease();
                load.io.delays[3] = delay(Priority::Production, Duration::from_nanos(nanos));
                load.pressure().value
            };
            let shorter = u64::from(shorter) * 100;
            prop_assert!(of(shorter) <= of(shorter + u64::from(more)));
        }
    }
}
