//! Situations in which a class of tasks is met again.

mod support;

use adaptive_task_scheduler::{Event, Lane, Late, Priority, Profiles, Scheduler, yield_now};
use proptest::prelude::*;
use std::{
    thread,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_millis(6);

fn scheduler() -> Scheduler {
    Scheduler::builder().io_slots(2).build_runtime().unwrap()
}

/// Uses a core for so long, however crowded the machine is.
fn compute(time: Duration) {
    let started = Instant::now();
    // On Linux the first number there is the CPU time of this thread.
    let cpu = || match std::fs::read_to_string("/proc/thread-self/schedstat") {
        Ok(stat) => Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap()),
        Err(_) => started.elapsed(),
    };
    let begin = cpu();
    while cpu() - begin < time {
        std::hint::black_box((0..1_000).sum::<u64>());
    }
}

fn lane_of_next(scheduler: &Scheduler, class: &'static str) -> Lane {
    let task = scheduler.task().name(class).spawn(async {});
    let lane = task.lane();
    scheduler.block_on(task).unwrap();
    lane
}

fn hog(scheduler: &Scheduler, class: &'static str, work: fn(Duration)) {
    for _ in 0..3 {
        let task = scheduler
            .task()
            .name(class)
            .spawn(async move { work(LONG) });
        scheduler.block_on(task).unwrap();
    }
}

#[test]
fn a_class_that_hogged_begins_where_it_does_no_harm() {
    let scheduler = scheduler();
    assert_eq!(lane_of_next(&scheduler, "sums"), Lane::Io);
    hog(&scheduler, "sums", compute);
    hog(&scheduler, "files", thread::sleep);
    assert_eq!(lane_of_next(&scheduler, "sums"), Lane::Cpu);
    assert_eq!(lane_of_next(&scheduler, "files"), Lane::Blocking);
    assert_eq!(lane_of_next(&scheduler, "others"), Lane::Io);
}

#[test]
fn a_decision_can_be_read_back() {
    let scheduler = scheduler();
    let mut events = scheduler.subscribe(10_000);
    hog(&scheduler, "sums", compute);
    let profiles = scheduler.profiles();
    let profile = profiles.get("sums").unwrap();
    let decision = profile.decision().unwrap();
    assert_eq!(decision.lane, Lane::Cpu);
    assert!(
        decision.cpu_share > 0.5 && decision.long_polls >= 2,
        "{decision:?}"
    );
    assert!(decision.hogged >= 2 * LONG, "{decision:?}");
    assert!(profile.poll_time().mean >= LONG);
    assert_eq!(profile.total_time().samples, 3);
    assert_eq!(profile.failures(), 0);
    assert!(decision.to_string().contains("cpu lane"), "{decision}");
    let learned = std::iter::from_fn(|| events.try_recv()).find_map(|event| match event {
        Event::Learned { class, lane, .. } => Some((class.to_string(), lane)),
        _ => None,
    });
    assert_eq!(learned, Some(("sums".to_owned(), Lane::Cpu)));
}

#[test]
fn a_hint_always_wins() {
    let scheduler = scheduler();
    hog(&scheduler, "sums", compute);
    for lane in [Lane::Io, Lane::Cpu, Lane::Blocking] {
        let described = scheduler.task().name("sums");
        let hinted = match lane {
            Lane::Io => described.io(),
            Lane::Cpu => described.cpu(),
            _ => described.blocking(),
        };
        let task = hinted.spawn(async {
            for _ in 0..3 {
                compute(LONG);
                yield_now().await;
            }
        });
        assert_eq!(task.lane(), lane);
        scheduler.block_on(task).unwrap();
    }
    assert_eq!(scheduler.stats().relocations, 0);
}

#[test]
fn a_running_task_moves_when_its_class_has_learned() {
    let scheduler = scheduler();
    let task = scheduler.task().name("steps").spawn(async {
        let mut threads = Vec::new();
        for _ in 0..6 {
            compute(LONG);
            yield_now().await;
            threads.push(thread::current().name().unwrap().to_owned());
        }
        threads
    });
    let threads = scheduler.block_on(task).unwrap();
    assert!(threads.last().unwrap().ends_with("-cpu"), "{threads:?}");
    assert_eq!(scheduler.stats().relocations, 1);
}

#[test]
fn closures_that_block_leave_the_cpu_lane() {
    let scheduler = scheduler();
    for _ in 0..3 {
        let task = scheduler
            .task()
            .name("files")
            .spawn_fn(|| thread::sleep(LONG));
        scheduler.block_on(task).unwrap();
    }
    let next = scheduler.task().name("files").spawn_fn(|| ());
    assert_eq!(next.lane(), Lane::Blocking);
    scheduler.block_on(next).unwrap();
}

#[test]
fn the_call_site_is_the_class_of_what_has_no_name() {
    let scheduler = scheduler();
    let lanes: Vec<Lane> = (0..4)
        .map(|_| {
            let task = scheduler.spawn(async { compute(LONG) });
            let lane = task.lane();
            scheduler.block_on(task).unwrap();
            lane
        })
        .collect();
    assert_eq!(lanes, [Lane::Io, Lane::Io, Lane::Cpu, Lane::Cpu]);
    let profiles = scheduler.profiles();
    let site = profiles.iter().next().unwrap().class().to_string();
    assert!(site.contains("learning.rs:"), "{site}");
}

#[test]
fn switched_off_nothing_is_learned() {
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .learning(false)
        .build_runtime()
        .unwrap();
    hog(&scheduler, "sums", compute);
    assert_eq!(lane_of_next(&scheduler, "sums"), Lane::Io);
    assert!(scheduler.profiles().is_empty());
}

#[test]
fn a_name_for_each_task_fills_no_list() {
    let scheduler = scheduler();
    let tasks: Vec<_> = (0..10_000)
        .map(|n| scheduler.task().name(format!("task {n}")).spawn(async {}))
        .collect();
    for task in tasks {
        scheduler.block_on(task).unwrap();
    }
    assert_eq!(scheduler.profiles().len(), 4095);
}

#[test]
fn failures_are_counted() {
    let scheduler = scheduler();
    for fails in [true, false, true] {
        let task = scheduler
            .task()
            .name("flaky")
            .spawn_try(async move { if fails { Err("no") } else { Ok(()) } });
        let _ = scheduler.block_on(task);
    }
    assert_eq!(scheduler.profiles().get("flaky").unwrap().failures(), 2);
}

#[test]
fn what_was_learned_outlives_the_process() {
    let path = std::env::temp_dir().join(format!("ats-profiles-{}", std::process::id()));
    let first = scheduler();
    hog(&first, "sums", compute);
    hog(&first, "a\tname\nof \\ lines", thread::sleep);
    first.save_profiles(&path).unwrap();

    let second = scheduler();
    assert_eq!(second.load_profiles(&path).unwrap(), 2);
    assert_eq!(lane_of_next(&second, "sums"), Lane::Cpu);
    assert_eq!(
        lane_of_next(&second, "a\tname\nof \\ lines"),
        Lane::Blocking
    );
    let (before, after) = (first.profiles(), second.profiles());
    assert_eq!(
        before.get("sums").unwrap().decision(),
        after.get("sums").unwrap().decision()
    );
    std::fs::remove_file(&path).unwrap();
    assert!(second.load_profiles(&path).unwrap_err().is_missing());
}

#[test]
fn a_damaged_or_foreign_file_is_told_and_changes_nothing() {
    let scheduler = scheduler();
    hog(&scheduler, "sums", compute);
    let text = scheduler.profiles().to_string();
    let changed = text.replacen("cpu", "gpu", 1);
    let table = [
        ("", "not a file of profiles"),
        ("[package]\nname = \"x\"\n", "not a file of profiles"),
        (&text[..text.len() - 1], "cut off"),
        (&text[..text.len() / 2], "cut off"),
        (&changed, "the checksum is wrong"),
        (
            &text.replacen("profiles 1", "profiles 2", 1),
            "version \"2\"",
        ),
    ];
    for (text, expected) in table {
        let error = text.parse::<Profiles>().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.is_damaged(), !error.is_foreign());
    }
    assert_eq!(text.parse::<Profiles>().unwrap().to_string(), text);
}

/// Lets tasks of a class end, so that it is known how long they take.
fn teach_time(scheduler: &Scheduler, time: Duration) {
    for _ in 0..5 {
        let task = scheduler
            .task()
            .name("report")
            .spawn(async move { tokio::time::sleep(time).await });
        scheduler.block_on(task).unwrap();
    }
}

#[test]
fn what_cannot_be_in_time_is_refused_if_asked_for() {
    let scheduler = scheduler();
    let report = |late| {
        let soon = Instant::now() + Duration::from_millis(1);
        let task = scheduler.task().name("report").deadline(soon).on_late(late);
        scheduler.block_on(task.spawn(async {}))
    };
    assert!(report(Late::Refuse).is_ok());
    teach_time(&scheduler, Duration::from_millis(20));
    let error = report(Late::Refuse).unwrap_err();
    assert!(error.is_rejected(), "{error}");
    assert!(error.to_string().contains("deadline"), "{error}");
    assert!(report(Late::Report).is_ok());
}

#[test]
fn a_task_that_will_be_late_is_told_of_and_boosted_before_its_deadline() {
    let scheduler = scheduler();
    teach_time(&scheduler, Duration::from_millis(20));
    let mut events = scheduler.subscribe(1_000);
    let (open, gate) = tokio::sync::oneshot::channel::<()>();
    let first = scheduler.task().name("first").spawn(gate);
    // Far off; what is expected does not fit before it, as the far blocker shows.
    let deadline = Instant::now() + Duration::from_millis(60);
    let report = scheduler
        .task()
        .name("report")
        .priority(Priority::Free)
        .deadline(deadline)
        .on_late(Late::Boost(Priority::Monitoring))
        .after(&first)
        .spawn(async {});
    let at_risk = scheduler.block_on(async {
        loop {
            if let Event::DeadlineAtRisk { task, boosted, .. } = events.recv().await.unwrap() {
                return (task, boosted);
            }
        }
    });
    assert_eq!(at_risk, (report.id(), Some(Priority::Monitoring)));
    assert_eq!(report.effective_priority(), Priority::Monitoring);
    // Lent to what it waits for as well.
    assert_eq!(first.effective_priority(), Priority::Monitoring);
    open.send(()).unwrap();
    scheduler.block_on(report).unwrap();
    drop(first);
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,200}") {
        let _ = text.parse::<Profiles>();
        let framed = format!("adaptive-task-scheduler profiles 1\n{text}\nend\t1\t0\n");
        let _ = framed.parse::<Profiles>();
    }

    #[test]
    fn no_damage_goes_unseen(at in 0usize..10_000, byte in 0u8..128) {
        let scheduler_text = include_str!("data/profiles.txt");
        let mut bytes = scheduler_text.as_bytes().to_vec();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let text = String::from_utf8(bytes).unwrap();
        prop_assert!(text.parse::<Profiles>().is_err());
    }
}
