//! Runs end, whatever ends them: nodes that fail, panic, are cancelled or were thought to
//! be short, and schedulers that end. What is to be run anyway is run, and each value is
//! dropped once.

mod support;

use adaptive_task_scheduler::{
    Priority, Scheduler,
    graph::{Durations, Graph, OnFailure, Output, Plan, Report, Retries},
};
use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use support::{Gate, plain, until, wait_for};

fn scheduler() -> Scheduler {
    plain().io_slots(2).build_runtime().unwrap()
}

fn failures(report: &Report) -> Vec<String> {
    let failures = report.failures();
    let told = failures.map(|(name, error)| format!("{name}: {error}"));
    told.collect()
}

/// Teaches a plan that these nodes are very short.
fn learn_short(plan: &Plan, names: &[&str]) {
    let mut durations = Durations::new();
    for name in names {
        for _ in 0..10_000 {
            durations.record(name, name, Duration::from_nanos(50));
        }
    }
    plan.learn(&durations);
}

#[test]
fn a_short_node_that_is_run_anyway_is_run_after_a_failure() {
    let mut graph = Graph::new();
    let fails = graph.node("fails").try_cpu((), |()| Err::<(), _>("broken"));
    let cleanup = graph.node("cleanup").run_anyway().after(&fails);
    let cleanup = cleanup.cpu((), |()| 7);
    let plan = graph.build().unwrap();
    learn_short(&plan, &["fails", "cleanup"]);
    let scheduler = scheduler();
    for policy in [OnFailure::Finish, OnFailure::Stop, OnFailure::KeepGoing] {
        let report = wait_for("run", plan.prepare().on_failure(policy).run(&scheduler));
        assert_eq!(report.get(&cleanup), Some(&7));
        assert_eq!(report.failures().count(), 1);
    }
}

#[test]
fn a_list_that_took_no_time_while_it_was_empty_may_get_items() {
    let mut graph = Graph::new();
    let list_of = graph.input::<Vec<u32>>("list");
    let doubled = graph.node("doubled").cpu_each(&list_of, |it| it * 2);
    let plan = graph.build().unwrap();
    learn_short(&plan, &["list", "doubled"]);
    let scheduler = plain().cpu_threads(2).build_runtime().unwrap();
    for items in [0, 0, 0, 0, 0, 0, 3, 100, 0, 1_000] {
        let list: Vec<u32> = (0..items).collect();
        let expected: Vec<u32> = list.iter().map(|it| it * 2).collect();
        let report = wait_for("run", plan.with(&list_of, list).run(&scheduler));
        assert_eq!(report.get(&doubled), Some(&expected));
    }
}

#[test]
fn a_future_in_a_chain_of_short_nodes_may_suspend_for_once() {
    let suspends = Arc::new(AtomicBool::new(false));
    let names: Vec<String> = (0..12).map(|at| format!("node {at}")).collect();
    let mut graph = Graph::new();
    let mut last = graph.node("first").cpu((), |()| 0u32);
    for (at, name) in names.iter().enumerate() {
        let suspends = Arc::clone(&suspends);
        last = graph.node(name.clone()).io(&last, move |before| {
            let suspends = at == 5 && suspends.load(SeqCst);
            async move {
                if suspends {
                    adaptive_task_scheduler::yield_now().await;
                }
                *before + 1
            }
        });
    }
    let fails =
        graph.node("fails").try_io(
            &last,
            |it| async move { Err::<(), _>(format!("at {}", *it)) },
        );
    let plan = graph.build().unwrap();
    let names = names.iter().map(String::as_str);
    let names: Vec<&str> = names.chain(["first", "fails"]).collect();
    let scheduler = plain().io_slots(2).cpu_threads(2).build_runtime().unwrap();
    for round in 0..12 {
        if round < 7 {
            learn_short(&plan, &names);
        }
        suspends.store(round > 6, SeqCst);
        let report = wait_for("run", plan.run(&scheduler));
        assert_eq!(report.get(&last), Some(&12));
        assert_eq!(report.get(&fails), None);
        assert_eq!(failures(&report), ["fails: at 12"]);
        let progress = report.progress();
        assert_eq!((progress.running, progress.ended()), (0, 14));
        assert_eq!(progress.expected_left, Duration::ZERO);
    }
}

#[test]
fn workers_that_are_cancelled_before_they_work_keep_nothing_from_being_run_anyway() {
    let scheduler = scheduler();
    let held = Gate::closed("the thread of the CPU lane");
    let door = held.door();
    let holder = scheduler.task().priority(Priority::Monitoring);
    let holder = holder.spawn_fn(move || door.pass());
    held.wait_for_arrivals(1);
    let gate = Gate::closed("failure");
    let door = gate.door();
    let mut graph = Graph::new();
    let queued = graph.node("queued").cpu((), |()| 1);
    let fails = graph.node("fails").try_blocking((), move |()| {
        door.pass();
        Err::<(), _>("broken")
    });
    let cleanup = graph.node("cleanup").run_anyway().after(&fails);
    let cleanup = cleanup.cpu((), |()| 7);
    let plan = graph.build().unwrap();
    let run = plan.prepare().on_failure(OnFailure::Stop).run(&scheduler);
    gate.wait_for_arrivals(1);
    gate.open();
    until("it has failed", || run.progress().failed == 1);
    held.open();
    let report = wait_for("run", run);
    assert_eq!(report.get(&cleanup), Some(&7));
    assert_eq!(report.get(&queued), None);
    assert_eq!(failures(&report), ["queued: cancelled", "fails: broken"]);
    wait_for("holder", holder).unwrap();
}

#[test]
fn items_that_are_cancelled_keep_nothing_from_being_run_anyway() {
    let gate = Gate::closed("failure");
    let door = gate.door();
    let mut graph = Graph::new();
    let list = graph.node("list").cpu((), |()| vec![1, 2, 3, 4, 5]);
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let items = graph.node("items").at_once(2).try_io_each(&list, move |_| {
        counted.fetch_add(1, SeqCst);
        pending::<Result<(), String>>()
    });
    let fails = graph.node("fails").try_blocking((), move |()| {
        door.pass();
        Err::<(), _>("broken")
    });
    let cleanup = graph.node("cleanup").run_anyway().after(&fails);
    let cleanup = cleanup.after(&items).io((), |()| async { 7 });
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    let run = plan.prepare().on_failure(OnFailure::Stop).run(&scheduler);
    gate.wait_for_arrivals(1);
    until("two items have begun", || begun.load(SeqCst) == 2);
    gate.open();
    let report = wait_for("run", run);
    assert_eq!(report.get(&cleanup), Some(&7));
    assert_eq!(failures(&report), ["items: cancelled", "fails: broken"]);
    assert_eq!(begun.load(SeqCst), 2);
}

#[test]
fn what_is_run_anyway_is_not_cancelled_by_what_fails_beside_it() {
    let gates = [Gate::closed("first"), Gate::closed("later")];
    let goes_on = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(AtomicUsize::new(0));
    let mut graph = Graph::new();
    let names = ["fails first", "fails later"];
    let fails: Vec<Output<()>> = (0..2)
        .map(|at| {
            let door = gates[at].door();
            graph.node(names[at]).try_blocking((), move |()| {
                door.pass();
                Err::<(), _>("broken")
            })
        })
        .collect();
    let mut cleanup = |name: &'static str, after: Option<&Output<()>>| {
        let (goes_on, begun) = (Arc::clone(&goes_on), Arc::clone(&begun));
        let mut node = graph.node(name).run_anyway();
        if let Some(after) = after {
            node = node.after(after);
        }
        node.io((), move |()| {
            let goes_on = Arc::clone(&goes_on);
            begun.fetch_add(1, SeqCst);
            async move {
                while !goes_on.load(SeqCst) {
                    adaptive_task_scheduler::yield_now().await;
                }
                7
            }
        })
    };
    let cleanups = [cleanup("before", None), cleanup("after", Some(&fails[0]))];
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    let run = plan.prepare().on_failure(OnFailure::Stop).run(&scheduler);
    until("one cleanup has begun", || begun.load(SeqCst) == 1);
    gates.iter().for_each(|gate| gate.wait_for_arrivals(1));
    gates[0].open();
    until("both cleanups have begun", || begun.load(SeqCst) == 2);
    gates[1].open();
    until("both have failed", || run.progress().failed == 2);
    goes_on.store(true, SeqCst);
    let report = wait_for("run", run);
    for cleanup in &cleanups {
        assert_eq!(report.get(cleanup), Some(&7), "{report:?}");
    }
}

#[test]
fn a_long_chain_of_nodes_that_the_scheduler_refuses_needs_no_stack() {
    let mut graph = Graph::new();
    let gate = Gate::closed("failure");
    let door = gate.door();
    graph.node("fails").try_blocking((), move |()| {
        door.pass();
        Err::<(), _>("broken")
    });
    let mut last = graph.node("0").io((), |()| pending::<()>());
    for at in 1..30_000 {
        let node = graph.node(at.to_string()).run_anyway().after(&last);
        last = node.io((), |()| async {});
    }
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    let run = plan.prepare().on_failure(OnFailure::Finish).run(&scheduler);
    gate.wait_for_arrivals(1);
    gate.open();
    until("it has failed", || run.progress().failed == 1);
    wait_for("shutdown", scheduler.shutdown(Duration::ZERO));
    assert_eq!(wait_for("run", run).failures().count(), 30_001);
    let refused = plan.prepare().on_failure(OnFailure::Stop).run(&scheduler);
    assert_eq!(wait_for("run", refused).failures().count(), 30_001);
}

/// Panics when it is dropped.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn values_that_panic_when_they_are_dropped_keep_no_run_from_ending() {
    let mut graph = Graph::new();
    let list = graph.node("list").cpu((), |()| vec![0, 1, 2]);
    let items = graph.node("items").try_cpu_each(&list, |&it| match it {
        0 => Ok(Loud),
        _ => Err("broken"),
    });
    let loud = graph.node("loud").cpu((), |()| Loud);
    let kept = graph.node("kept").cpu((), |()| Arc::new(5));
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    for _ in 0..3 {
        let report = wait_for("run", plan.run(&scheduler));
        assert!(report.get(&items).is_none() && report.get(&loud).is_some());
        assert_eq!(failures(&report), ["items: broken"]);
        let five = Arc::clone(report.get(&kept).unwrap());
        drop(report);
        assert_eq!(Arc::strong_count(&five), 1);
    }
}

#[test]
fn the_last_builder_may_be_dropped_too_and_deadlines_may_be_far_away() {
    let mut graph = Graph::new();
    let group = graph.group("group");
    let first = graph.node("first").group(group).deadline(Duration::MAX);
    let first = first.io((), |()| async { 1 });
    let patient = Retries::new(1)
        .backoff(Duration::MAX)
        .at_most(Duration::MAX);
    assert_eq!(patient.delay(1, 0.0), Duration::MAX);
    graph.node("second").after_group(group).cpu((), |()| 2);
    drop(graph.node("unused").after(&first).after_named("nowhere"));
    let plan = graph.build().unwrap();
    let report = wait_for("run", plan.run(&scheduler()));
    assert!(report.is_ok(), "{report:?}");
}

#[test]
fn an_attempt_that_is_cancelled_while_its_closure_runs_gives_no_output() {
    let gate = Gate::closed("closure");
    let ended = Arc::new(AtomicBool::new(false));
    let (door, note) = (gate.door(), Arc::clone(&ended));
    let mut graph = Graph::new();
    let slow = graph.node("slow").timeout(Duration::MAX);
    let slow = slow.blocking((), move |()| {
        door.pass();
        // The value is dropped after this.
        let note = Arc::clone(&note);
        Notes(note)
    });
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    let run = plan.run(&scheduler);
    gate.wait_for_arrivals(1);
    run.cancel();
    let report = wait_for("run", run);
    assert_eq!(failures(&report), ["slow: cancelled"]);
    gate.open();
    until("its value was dropped", || ended.load(SeqCst));
    assert!(report.get(&slow).is_none());
}

/// Notes that it was dropped.
struct Notes(Arc<AtomicBool>);

impl Drop for Notes {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// A value that counts how many of it there are.
struct Counted {
    sum: u64,
    alive: Arc<AtomicIsize>,
}

impl Counted {
    fn new(sum: u64, alive: &Arc<AtomicIsize>) -> Self {
        alive.fetch_add(1, SeqCst);
        let alive = Arc::clone(alive);
        Self { sum, alive }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// How a node behaves in one run, by a number that differs from run to run.
fn result(sum: u64, alive: &Arc<AtomicIsize>, luck: u64) -> Result<Counted, String> {
    match luck % 40 {
        0 => Err("bad luck".to_owned()),
        1 => panic!("worse luck"),
        _ => Ok(Counted::new(sum + 1, alive)),
    }
}

/// What all nodes of a random graph share.
#[derive(Clone)]
struct World {
    alive: Arc<AtomicIsize>,
    runs: Arc<AtomicUsize>,
}

impl World {
    fn luck(&self) -> u64 {
        self.runs.fetch_add(7, SeqCst) as u64
    }

    fn result(&self, sum: u64) -> Result<Counted, String> {
        result(sum, &self.alive, self.luck())
    }
}

/// A node of any sort that uses two others.
fn add(
    graph: &mut Graph,
    at: u64,
    random: &mut Random,
    world: &World,
    a: &Output<Counted>,
    b: &Output<Counted>,
) -> Output<Counted> {
    let kind = random.below(11);
    let (of_fresh, of_list, world) = (world.clone(), world.clone(), world.clone());
    let fresh = graph.node(format!("fresh {at}"));
    let fresh = fresh.after(a).try_cpu((), move |()| of_fresh.result(1));
    let list = graph.node(format!("list {at}"));
    let list = list.cpu(b, move |b| {
        let items = 0..of_list.luck() % 5 * (b.sum % 5);
        items
            .map(|sum| Counted::new(sum, &of_list.alive))
            .collect::<Vec<_>>()
    });
    let mut node = graph.node(format!("node {at}"));
    if random.once_in(8) {
        node = node.run_if(b, |it| it.sum % 3 > 0);
    }
    if kind < 7 && random.once_in(8) {
        node = node.timeout(Duration::from_micros(200));
    }
    if kind < 6 && random.once_in(8) {
        node = node.retries(Retries::new(2).backoff(Duration::from_micros(10)));
    }
    match kind {
        0..2 => node.try_cpu((a, b), move |(a, b)| world.result(a.sum ^ b.sum)),
        2 => node.try_blocking((a, b), move |(a, b)| world.result(a.sum ^ b.sum)),
        3..6 => node.try_io((a, b), move |(a, b)| {
            let world = world.clone();
            async move {
                if world.luck().is_multiple_of(3) {
                    adaptive_task_scheduler::yield_now().await;
                }
                world.result(a.sum ^ b.sum)
            }
        }),
        6 => node.try_cpu((fresh, a), move |(fresh, a)| {
            world.result(fresh.sum + a.sum)
        }),
        7 => node.try_io((fresh, b), move |(fresh, b)| {
            let ended = world.result(fresh.sum + b.sum);
            async move { ended }
        }),
        8 => {
            let node = node.run_anyway().after(a);
            node.try_cpu((a.maybe(), b.maybe()), move |(a, b)| {
                let sum = |it: Option<&Counted>| it.map_or(0, |it| it.sum);
                world.result(sum(a) ^ sum(b))
            })
        }
        _ => {
            let (on_item, sums) = (world.clone(), format!("sum {at}"));
            let items = match kind {
                9 => node.try_cpu_each(&list, move |it| on_item.result(it.sum)),
                _ => node.at_once(2).try_io_each(&list, move |it| {
                    let ended = on_item.result(it.sum);
                    async move {
                        adaptive_task_scheduler::yield_now().await;
                        ended
                    }
                }),
            };
            let node = graph.node(sums);
            node.try_cpu(items, move |items| world.result(items.len() as u64))
        }
    }
}

fn declare(random: &mut Random, alive: &Arc<AtomicIsize>) -> (Plan, Vec<Output<Counted>>) {
    let world = World {
        alive: Arc::clone(alive),
        runs: Arc::new(AtomicUsize::new(random.below(1 << 30) as usize)),
    };
    let mut graph = Graph::new();
    let base = Arc::clone(alive);
    let mut outputs = vec![graph.node("base").cpu((), move |()| Counted::new(1, &base))];
    for at in 0..1 + random.below(20) {
        let [a, b] = [0, 0].map(|_| random.below(outputs.len() as u64) as usize);
        let output = add(&mut graph, at, random, &world, &outputs[a], &outputs[b]);
        outputs.push(output);
    }
    (graph.build().unwrap(), outputs)
}

/// All nodes have ended, each counted once, and outputs are there of those that are done.
fn check(report: &Report, outputs: &[Output<Counted>]) {
    let progress = report.progress();
    assert_eq!(progress.ended(), progress.nodes, "{progress:?}");
    assert_eq!(progress.running, 0, "{progress:?}");
    assert_eq!(progress.expected_left, Duration::ZERO);
    let told = report.failures().count();
    assert_eq!(
        told,
        progress.failed + progress.not_run,
        "{progress:?} {report:?}"
    );
    let given = outputs.iter().filter(|it| report.get(it).is_some()).count();
    if told == 0 && progress.skipped == 0 {
        assert_eq!(given, outputs.len());
    }
}

/// One random graph, run many times at once, with random ends.
fn one_round(random: &mut Random, alive: &Arc<AtomicIsize>) {
    let (plan, outputs) = declare(random, alive);
    let threads = 1 + random.below(3) as usize;
    let scheduler = plain()
        .io_slots(2)
        .cpu_threads(threads)
        .build_runtime()
        .unwrap();
    let shuts_down = random.once_in(4);
    for wave in 0..8 {
        let runs: Vec<_> = (0..1 + random.below(4))
            .map(|_| {
                let policies = [OnFailure::KeepGoing, OnFailure::Finish, OnFailure::Stop];
                let policy = policies[random.below(3) as usize];
                plan.prepare().on_failure(policy).run(&scheduler)
            })
            .collect();
        if shuts_down && wave == 5 {
            for _ in 0..random.below(300) {
                std::hint::spin_loop();
            }
            wait_for("shutdown", scheduler.shutdown(Duration::ZERO));
        }
        for run in runs {
            match random.below(10) {
                0 => drop(run),
                1 => {
                    run.cancel();
                    check(&wait_for("cancelled run", run), &outputs);
                }
                _ => {
                    let mut report = wait_for("run", run);
                    check(&report, &outputs);
                    let at = random.below(outputs.len() as u64) as usize;
                    let was_there = report.get(&outputs[at]).is_some();
                    let taken = report.take(&outputs[at]);
                    // Unless a closure goes on that was given up.
                    assert!(was_there || taken.is_none());
                    assert_eq!(
                        report.get(&outputs[at]).is_some(),
                        was_there && taken.is_none()
                    );
                }
            }
        }
    }
    drop((scheduler, plan));
}

#[test]
fn random_graphs_end_and_drop_each_value_once_however_they_are_ended() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str().is_none_or(|it| it != "worse luck") {
            hook(info);
        }
    }));
    let seed = Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let alive = Arc::new(AtomicIsize::new(0));
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        one_round(&mut random, &alive);
    }
    until("all values are dropped", || alive.load(SeqCst) == 0);
}
