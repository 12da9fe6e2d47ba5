//! Where the tasks of a class begin.
//!
//! Pure: what polls did and the time go in, a decision comes out.
//!
//! Rules:
//!
//! - F1. A *long* poll lasts for at least a millisecond. A class hogs its lane
//!   when its long polls weigh [`ENOUGH`] together (one of a millisecond weighs
//!   1, one of 4 ms or more 2) and they make most of its polling time.
//! - F2. What it does is told by the share of CPU time in its long polls: at
//!   least half is computing, and the CPU lane; less is blocking. A class that
//!   has learned one of the two changes to the other on [`CHANGE`] times the
//!   evidence, since the first decision is taken on little, and from the second
//!   change on only beyond a margin.
//! - F3. A class unlearns after a *quiet period*: [`QUIET_POLLS`] measured polls
//!   in a row without a long one, over at least [`QUIET_TIME`].
//! - F4. Each time a class unlearns or changes its lane, learning takes twice the evidence and
//!   unlearning twice the quiet, up to eight times. So a class at the border
//!   settles instead of flapping.
//! - F5. The evidence is halved when it grows old in polls, so that what a class
//!   did lately counts most.

use crate::lane::Lane;
use std::time::Duration;

/// A poll that lasts as long holds its lane up. Tokio's own advice is 10 to
/// 100 us between awaits; the sentinel looks once a millisecond.
pub(crate) const LONG: Duration = Duration::from_millis(1);
const VERY_LONG: Duration = Duration::from_millis(4);
/// Rule F1. Guesses: two polls that no accident explains, or three lesser ones.
const ENOUGH: u32 = 3;
/// Rule F2. A guess: a handful of polls, so that a few odd ones change nothing.
const CHANGE: u32 = 4;
/// Rule F3. Guesses; a class that is called once a minute unlearns in half an
/// hour, one called a thousand times a second in ten seconds.
const QUIET_POLLS: u32 = 32;
const QUIET_TIME: Duration = Duration::from_secs(10);
/// Rule F4.
const MOST_DOUBTS: u32 = 3;
/// Rule F5.
const OLD: u32 = 512;

/// One measured poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Polled {
    pub(crate) wall: Duration,
    /// CPU time used, if that was measured.
    pub(crate) cpu: Option<Duration>,
}

/// What was seen of a class, for the decision and for who asks about it.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Evidence {
    /// Measured polls, and how many of them were long.
    pub(crate) polls: u32,
    pub(crate) long: u32,
    weight: u32,
    /// Seconds in measured polls; in long ones; in long ones whose CPU time was
    /// measured, and that CPU time.
    polled: f64,
    hogged: f64,
    told: f64,
    pub(crate) computed: f64,
}

impl Evidence {
    /// The part of the long polls that was CPU time, if that is known.
    pub(crate) fn cpu_share(&self) -> Option<f64> {
        (self.told > 0.0).then(|| (self.computed / self.told).clamp(0.0, 1.0))
    }

    pub(crate) fn hogged(&self) -> Duration {
        Duration::try_from_secs_f64(self.hogged).unwrap_or_default()
    }

    pub(super) fn counts(&self) -> [u32; 3] {
        [self.polls, self.long, self.weight]
    }

    /// Seconds.
    pub(super) fn times(&self) -> [f64; 4] {
        [self.polled, self.hogged, self.told, self.computed]
    }

    /// Evidence with these [`counts`](Self::counts) and [`times`](Self::times);
    /// `None` if polls cannot have given them.
    pub(super) fn restored(
        [polls, long, weight]: [u32; 3],
        times @ [polled, hogged, told, computed]: [f64; 4],
    ) -> Option<Self> {
        let finite = times.iter().all(|time| (0.0..1e9).contains(time));
        let sound = finite && long <= polls && polls <= OLD && weight <= 2 * OLD;
        sound.then_some(Self {
            polls,
            long,
            weight,
            polled,
            hogged,
            told,
            computed,
        })
    }

    fn add(&mut self, poll: Polled) {
        if self.polls >= OLD {
            self.halve();
        }
        self.polls += 1;
        self.polled += poll.wall.as_secs_f64();
        if poll.wall < LONG {
            return;
        }
        self.long += 1;
        self.weight += if poll.wall >= VERY_LONG { 2 } else { 1 };
        self.hogged += poll.wall.as_secs_f64();
        if let Some(cpu) = poll.cpu {
            self.told += poll.wall.as_secs_f64();
            self.computed += cpu.min(poll.wall).as_secs_f64();
        }
    }

    fn halve(&mut self) {
        for count in [&mut self.polls, &mut self.long, &mut self.weight] {
            *count /= 2;
        }
        for time in [
            &mut self.polled,
            &mut self.hogged,
            &mut self.told,
            &mut self.computed,
        ] {
            *time /= 2.0;
        }
    }
}

/// A lane that was learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Learned {
    pub(crate) lane: Lane,
    /// Since the Unix epoch.
    pub(crate) since: Duration,
    /// From what.
    pub(crate) from: Evidence,
}

/// The decision about one class.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct FirstLane {
    pub(crate) evidence: Evidence,
    pub(crate) learned: Option<Learned>,
    /// How often it has unlearned or changed (rule F4).
    pub(crate) doubts: u32,
    quiet_polls: u32,
    /// When the quiet began, since the Unix epoch.
    quiet_since: Duration,
}

/// What one observation changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    Learned(Learned),
    Unlearned(Learned),
}

impl FirstLane {
    pub(crate) fn with(learned: Option<Learned>, doubts: u32) -> Self {
        Self {
            // What is seen from now on adds to what was seen before.
            evidence: learned.map(|learned| learned.from).unwrap_or_default(),
            learned,
            doubts,
            quiet_since: learned.map_or(Duration::ZERO, |learned| learned.since),
            ..Self::default()
        }
    }

    /// Takes one measured poll of a class into account. `home` is the lane where
    /// its tasks begin when nothing is learned; `now` is the time since the Unix
    /// epoch.
    pub(crate) fn observe(&mut self, poll: Polled, home: Lane, now: Duration) -> Option<Change> {
        self.evidence.add(poll);
        if poll.wall >= LONG {
            self.quiet_polls = 0;
            return self.learn(home, now);
        }
        if self.quiet_polls == 0 {
            self.quiet_since = now;
        }
        self.quiet_polls = self.quiet_polls.saturating_add(1);
        self.unlearn(now)
    }

    fn patience(&self) -> u32 {
        1 << self.doubts.min(MOST_DOUBTS)
    }

    fn learn(&mut self, home: Lane, now: Duration) -> Option<Change> {
        let lane = self.verdict()?;
        if lane == home || self.learned.is_some_and(|learned| learned.lane == lane) {
            return None;
        }
        let learned = Learned {
            lane,
            since: now,
            from: self.evidence,
        };
        self.doubts += u32::from(self.learned.is_some());
        self.learned = Some(learned);
        Some(Change::Learned(learned))
    }

    /// Rules F1 and F2.
    fn verdict(&self) -> Option<Lane> {
        let evidence = &self.evidence;
        let change = if self.learned.is_some() { CHANGE } else { 1 };
        if evidence.weight < ENOUGH * change * self.patience()
            || evidence.hogged * 2.0 < evidence.polled
        {
            return None;
        }
        let share = evidence.cpu_share()?;
        let border = match self.learned.map(|learned| learned.lane) {
            Some(Lane::Cpu) if self.doubts > 0 => 0.35,
            Some(_) if self.doubts > 0 => 0.65,
            _ => 0.5,
        };
        Some(if share >= border {
            Lane::Cpu
        } else {
            Lane::Blocking
        })
    }

    /// Rules F3 and F4.
    fn unlearn(&mut self, now: Duration) -> Option<Change> {
        let patience = self.patience();
        let is_quiet = self.quiet_polls >= QUIET_POLLS * patience
            && now.saturating_sub(self.quiet_since) >= QUIET_TIME * patience;
        let learned = self.learned.filter(|_| is_quiet)?;
        self.learned = None;
        self.doubts += 1;
        self.quiet_polls = 0;
        self.evidence = Evidence::default();
        Some(Change::Unlearned(learned))
    }

    /// Whether more polls would tell more: the class is young, has lately had a
    /// long poll, or has learned something that it might unlearn.
    pub(crate) fn wants_more(&self) -> bool {
        self.evidence.polls < 8 || self.evidence.long > 0 || self.learned.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const S: fn(u64) -> Duration = Duration::from_secs;

    fn poll(wall: Duration, share: f64) -> Polled {
        Polled {
            wall,
            cpu: Some(wall.mul_f64(share)),
        }
    }

    fn lane(rule: &FirstLane) -> Option<Lane> {
        rule.learned.map(|learned| learned.lane)
    }

    #[test]
    fn several_long_polls_teach_by_what_they_did() {
        let table = [
            // wall of each poll, CPU share, polls, lane
            (MS(10), 1.0, 1, None),
            (MS(10), 1.0, 2, Some(Lane::Cpu)),
            (MS(10), 0.0, 2, Some(Lane::Blocking)),
            (MS(2), 0.9, 2, None),
            (MS(2), 0.9, 3, Some(Lane::Cpu)),
            (MS(2), 0.2, 3, Some(Lane::Blocking)),
            (Duration::from_micros(900), 1.0, 1000, None),
        ];
        for (wall, share, polls, expected) in table {
            let mut rule = FirstLane::default();
            for _ in 0..polls {
                rule.observe(poll(wall, share), Lane::Io, S(1));
            }
            assert_eq!(lane(&rule), expected, "{polls} of {wall:?} at {share}");
        }
    }

    #[test]
    fn a_long_poll_among_many_short_ones_teaches_nothing() {
        let mut rule = FirstLane::default();
        for _ in 0..10 {
            for _ in 0..30 {
                rule.observe(poll(Duration::from_micros(100), 1.0), Lane::Io, S(1));
            }
            assert_eq!(rule.observe(poll(MS(2), 1.0), Lane::Io, S(1)), None);
        }
    }

    #[test]
    fn the_lane_at_home_is_not_learned() {
        let mut rule = FirstLane::default();
        for _ in 0..9 {
            assert_eq!(rule.observe(poll(MS(9), 1.0), Lane::Cpu, S(1)), None);
        }
        assert_eq!(lane(&rule), None);
        for _ in 0..40 {
            rule.observe(poll(MS(9), 0.0), Lane::Cpu, S(1));
        }
        assert_eq!(lane(&rule), Some(Lane::Blocking));
    }

    #[test]
    fn a_quiet_period_unlearns_and_each_time_takes_longer() {
        let mut rule = FirstLane::default();
        let mut now = S(1);
        let mut changes = Vec::new();
        for round in 0..3 {
            for _ in 0..64 {
                changes.extend(rule.observe(poll(MS(5), 1.0), Lane::Io, now));
            }
            assert_eq!(lane(&rule), Some(Lane::Cpu), "round {round}");
            let mut quiet = 0;
            while lane(&rule).is_some() {
                now += S(1);
                quiet += 1;
                changes.extend(rule.observe(poll(Duration::from_micros(5), 1.0), Lane::Io, now));
            }
            assert_eq!(quiet, 32 << round, "round {round}");
        }
        assert_eq!(changes.len(), 6);
    }

    #[test]
    fn quiet_needs_time_as_well_as_polls() {
        let mut rule = FirstLane::default();
        for _ in 0..4 {
            rule.observe(poll(MS(5), 1.0), Lane::Io, S(1));
        }
        for _ in 0..10_000 {
            rule.observe(poll(Duration::from_micros(5), 1.0), Lane::Io, S(2));
        }
        assert_eq!(lane(&rule), Some(Lane::Cpu));
        rule.observe(poll(Duration::from_micros(5), 1.0), Lane::Io, S(12));
        assert_eq!(lane(&rule), None);
    }

    #[test]
    fn a_class_at_the_border_does_not_flap() {
        let mut rule = FirstLane::default();
        let mut changes = 0;
        for turn in 0..10_000 {
            let share = if turn % 2 == 0 { 0.4 } else { 0.58 };
            let change = rule.observe(poll(MS(5), share), Lane::Io, MS(turn));
            changes += usize::from(change.is_some());
        }
        assert!(changes <= 1, "{changes}");
    }

    #[test]
    fn a_learned_lane_changes_on_more_than_a_few_polls() {
        let mut rule = FirstLane::default();
        for _ in 0..2 {
            rule.observe(poll(MS(10), 0.34), Lane::Io, S(1));
        }
        assert_eq!(lane(&rule), Some(Lane::Blocking));
        let polls = (1..).find(|_| {
            let change = rule.observe(poll(MS(10), 1.0), Lane::Io, S(1));
            change.is_some()
        });
        assert_eq!((polls, lane(&rule)), (Some(4), Some(Lane::Cpu)));
        assert_eq!(rule.doubts, 1);
    }

    #[test]
    fn what_was_restored_is_not_forgotten_for_a_few_polls() {
        let mut rule = FirstLane::default();
        for _ in 0..50 {
            rule.observe(poll(MS(10), 0.66), Lane::Io, S(1));
        }
        let mut learned = rule.learned.unwrap();
        learned.from = rule.evidence;
        let mut restored = FirstLane::with(Some(learned), 0);
        for _ in 0..10 {
            restored.observe(poll(MS(10), 0.1), Lane::Io, S(2));
        }
        assert_eq!(lane(&restored), Some(Lane::Cpu));
    }

    #[test]
    fn what_it_did_is_not_guessed() {
        let mut rule = FirstLane::default();
        for _ in 0..100 {
            let unknown = Polled {
                wall: MS(50),
                cpu: None,
            };
            assert_eq!(rule.observe(unknown, Lane::Io, S(1)), None);
        }
        assert!(rule.wants_more());
    }
}
