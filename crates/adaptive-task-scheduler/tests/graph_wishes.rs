//! What nodes of a graph can ask for: to be tried again, given up, run only if, run anyway,
//! once for each item; and what runs can be given and told.

mod support;

use adaptive_task_scheduler::{
    Priority, Scheduler,
    graph::{Basis, Graph, OnFailure, Output, Report, Retries},
};
use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use support::{Gate, plain, until, wait_for};

fn scheduler() -> Scheduler {
    plain().io_slots(2).build_runtime().unwrap()
}

fn run(graph: Graph) -> Report {
    run_with(graph, OnFailure::KeepGoing)
}

fn run_with(graph: Graph, policy: OnFailure) -> Report {
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    let prepared = plan.prepare().on_failure(policy);
    wait_for("run", prepared.run(&scheduler))
}

fn failures(report: &Report) -> Vec<String> {
    let told = report.failures();
    told.map(|(name, error)| format!("{name}: {error}"))
        .collect()
}

fn mistakes(graph: Graph) -> Vec<String> {
    let error = graph.build().unwrap_err();
    error.mistakes().iter().map(ToString::to_string).collect()
}

const SOON: Retries = Retries::new(2).backoff(Duration::from_millis(1));

/// Fails so many times, then gives how often it was tried.
fn flaky(failures: usize) -> impl Fn() -> Result<usize, String> + Clone + Send + Sync + 'static {
    let tried = Arc::new(AtomicUsize::new(0));
    move || {
        let before = tried.fetch_add(1, SeqCst);
        match before < failures {
            true => Err(format!("failure {}", before + 1)),
            false => Ok(before + 1),
        }
    }
}

#[test]
fn a_node_is_tried_again_on_each_lane_until_it_works_or_no_attempt_is_left() {
    let mut graph = Graph::new();
    let (cpu, blocking, io) = (flaky(2), flaky(1), flaky(2));
    let cpu = graph.node("cpu").retries(SOON).try_cpu((), move |()| cpu());
    let blocking = graph
        .node("blocking")
        .retries(SOON)
        .try_blocking((), move |()| blocking());
    let io = graph.node("io").retries(SOON).try_io((), move |()| {
        let tried = io();
        async move { tried }
    });
    let hopeless = flaky(9);
    let hopeless = graph
        .node("hopeless")
        .retries(SOON)
        .try_cpu((), move |()| hopeless());
    let after = graph
        .node("after")
        .cpu((&cpu, &blocking), |(a, b)| a * 10 + b);
    graph.node("never").after(&hopeless).cpu((), |()| ());
    let report = run(graph);
    assert_eq!(report.get(&after), Some(&32));
    assert_eq!(report.get(&io), Some(&3));
    let expected = [
        "hopeless: failure 3",
        "never: not run, since \"hopeless\" failed",
    ];
    assert_eq!(failures(&report), expected);
    let (name, _) = report.root_cause().unwrap();
    assert_eq!(name, "hopeless");
}

#[test]
fn a_future_is_dropped_at_its_time_out_and_a_closure_is_given_up() {
    let gate = Gate::closed("a closure that is given up");
    let door = gate.door();
    let mut graph = Graph::new();
    let limit = Duration::from_millis(5);
    graph
        .node("future")
        .timeout(limit)
        .io((), |()| pending::<()>());
    let told = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&told);
    let closure = graph
        .node("closure")
        .timeout(limit)
        .blocking((), move |()| {
            door.pass();
            heard.store(
                usize::from(adaptive_task_scheduler::is_cancelled()) + 1,
                SeqCst,
            );
            7
        });
    let fast = graph
        .node("fast")
        .timeout(Duration::from_secs(60))
        .cpu((), |()| 1);
    let report = run(graph);
    let expected = [
        "future: timed out after 5ms",
        "closure: timed out after 5ms",
    ];
    assert_eq!(failures(&report), expected);
    assert_eq!((report.get(&fast), report.get(&closure)), (Some(&1), None));
    gate.open();
    until("the closure has gone on", || told.load(SeqCst) > 0);
    // Its scheduler may have ended before it could ask, but its value counts in no case.
    assert_eq!(report.get(&closure), None);
}

#[test]
fn a_skipped_node_skips_who_needs_its_output_and_nobody_else() {
    let mut graph = Graph::new();
    let branch = graph.node("branch").cpu((), |()| "main");
    let deploy = graph
        .node("deploy")
        .run_if(&branch, |it| *it == "release")
        .cpu((), |()| 1);
    let tests = graph
        .node("tests")
        .run_if(&branch, |it| *it == "main")
        .cpu((), |()| 2);
    let uses = graph.node("uses").cpu((&deploy, &tests), |(a, b)| a + b);
    let later = graph.node("later").io(&uses, |it| async move { *it });
    let maybe = graph
        .node("maybe")
        .cpu((deploy.maybe(), tests.maybe()), |(a, b)| {
            (a.copied(), b.copied())
        });
    let after = graph.node("after").after(&deploy).cpu((), |()| 3);
    let odd = graph
        .node("odd")
        .run_if(&branch, |_| panic!("no answer"))
        .cpu((), |()| 4);
    let report = run(graph);
    assert_eq!(failures(&report), ["odd: panicked: no answer"]);
    assert_eq!(report.get(&tests), Some(&2));
    assert_eq!(report.get(&after), Some(&3));
    assert_eq!(report.get(&maybe), Some(&(None, Some(2))));
    let missing = [&deploy, &uses, &later, &odd].map(|it| report.get(it));
    assert_eq!(missing, [None; 4]);
    let progress = report.progress();
    assert_eq!(
        (progress.done, progress.skipped, progress.failed),
        (4, 3, 1)
    );
}

/// A failing node, one that runs beside it until it has failed, one that would run after
/// both, and a cleanup that notes what it saw.
fn with_cleanup(policy: OnFailure) -> (Report, Output<u32>, Option<Option<u32>>) {
    let mut graph = Graph::new();
    let seen = Arc::new(Mutex::new(None));
    let note = Arc::clone(&seen);
    let made = graph.node("made").cpu((), |()| 5u32);
    let fails = graph
        .node("fails")
        .after(&made)
        .try_cpu((), |()| Err::<u32, _>("broken"));
    let apart = graph.node("apart").after_named("slow").cpu((), |()| 6u32);
    let slow = graph.node("slow").after(&made).io((), |()| async {
        for _ in 0..100 {
            adaptive_task_scheduler::yield_now().await;
        }
    });
    graph
        .node("cleanup")
        .run_anyway()
        .after(&fails)
        .after(&slow)
        .cpu(made.maybe(), move |made| {
            *note.lock().unwrap() = Some(made.copied());
        });
    let report = run_with(graph, policy);
    let seen = *seen.lock().unwrap();
    (report, apart, seen)
}

#[test]
fn what_is_run_anyway_runs_under_every_policy() {
    for policy in [OnFailure::KeepGoing, OnFailure::Finish, OnFailure::Stop] {
        let (report, apart, seen) = with_cleanup(policy);
        assert_eq!(seen, Some(Some(5)), "{policy:?}");
        let told = failures(&report);
        assert_eq!(told[0], "fails: broken", "{policy:?}");
        if policy == OnFailure::KeepGoing {
            assert_eq!(report.get(&apart), Some(&6));
            assert_eq!(told.len(), 1);
        } else {
            assert_eq!(report.get(&apart), None, "{policy:?}");
            assert_eq!(told[1], "apart: cancelled", "{policy:?}");
        }
    }
}

#[test]
fn stopping_cancels_what_is_suspended_and_finishing_waits_for_it() {
    let mut graph = Graph::new();
    let gate = Gate::closed("failure");
    let door = gate.door();
    graph.node("hangs").io((), |()| pending::<()>());
    graph.node("fails").try_blocking((), move |()| {
        door.pass();
        Err::<(), _>("broken")
    });
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    let run = plan.prepare().on_failure(OnFailure::Stop).run(&scheduler);
    gate.wait_for_arrivals(1);
    gate.open();
    let report = wait_for("run", run);
    assert_eq!(failures(&report), ["hangs: cancelled", "fails: broken"]);
}

#[test]
fn each_item_of_a_list_is_worked_on_and_results_keep_their_order() {
    let mut graph = Graph::new();
    let numbers = graph
        .node("numbers")
        .cpu((), |()| (0..100u64).collect::<Vec<_>>());
    let squares = graph.node("squares").cpu_each(&numbers, |it| it * it);
    let most = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let counts = Arc::clone(&most);
    let halves = graph
        .node("halves")
        .at_once(3)
        .try_io_each(&numbers, move |&it| {
            let counts = Arc::clone(&counts);
            async move {
                let now = counts.0.fetch_add(1, SeqCst) + 1;
                counts.1.fetch_max(now, SeqCst);
                adaptive_task_scheduler::yield_now().await;
                counts.0.fetch_sub(1, SeqCst);
                Ok::<_, String>(it / 2)
            }
        });
    let texts = graph
        .node("texts")
        .at_once(2)
        .try_blocking_each(&squares, |it| Ok::<_, String>(it.to_string()));
    let none = graph.node("none").cpu((), |()| Vec::<u8>::new());
    let empty = graph.node("empty").cpu_each(&none, |it| *it);
    let sum = graph
        .node("sum")
        .cpu((&squares, &halves, &texts), |(squares, halves, texts)| {
            let lengths = texts.iter().map(|it| it.len() as u64);
            squares.iter().sum::<u64>() + halves.iter().sum::<u64>() + lengths.sum::<u64>()
        });
    let report = run(graph);
    assert!(report.is_ok(), "{report:?}");
    let squares = report.get(&squares).unwrap();
    assert!((0..100).all(|it| squares[it as usize] == it * it));
    assert_eq!(report.get(&empty), Some(&Vec::new()));
    let lengths: u64 = squares.iter().map(|it| it.to_string().len() as u64).sum();
    assert_eq!(report.get(&sum), Some(&(328_350 + 2_450 + lengths)));
    assert!((1..=3).contains(&most.1.load(SeqCst)));
}

#[test]
fn an_item_that_fails_fails_its_node_which_begins_no_more() {
    let mut graph = Graph::new();
    let ran = Arc::new(AtomicUsize::new(0));
    let items = graph
        .node("items")
        .cpu((), |()| (0..1_000u32).collect::<Vec<_>>());
    let counts = Arc::clone(&ran);
    let each = graph.node("each").try_cpu_each(&items, move |&it| {
        counts.fetch_add(1, SeqCst);
        if it == 10 { Err("ten") } else { Ok(it) }
    });
    graph.node("after").after(&each).cpu((), |()| ());
    let panics = graph.node("panics").at_once(1);
    panics.try_io_each(&items, |&it| async move {
        assert!(it < 3, "item {it}");
        Ok::<_, String>(())
    });
    let report = run(graph);
    let expected = [
        "each: ten",
        "after: not run, since \"each\" failed",
        "panics: panicked: item 3",
    ];
    assert_eq!(failures(&report), expected);
    assert_eq!(ran.load(SeqCst), 11);
}

#[test]
fn runs_are_given_inputs_and_an_output_can_be_taken_out_of_a_report() {
    let mut graph = Graph::new();
    let name = graph.input::<String>("name");
    let count = graph.input::<usize>("count");
    let text = graph
        .node("text")
        .cpu((name, &count), |(name, count)| name.repeat(*count));
    graph.result(&text);
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    let runs: Vec<_> = (1..4)
        .map(|it| plan.with(&count, it).with(&count, 99).run(&scheduler))
        .collect();
    for run in runs {
        let report = wait_for("run", run);
        let expected = [
            "name: the run was given no value for this input",
            "text: not run, since \"name\" failed",
        ];
        assert_eq!(failures(&report), expected);
        assert_eq!(report.get(&text), None);
    }
    let mut graph = Graph::new();
    let count = graph.input::<usize>("count");
    let text = graph.node("text").cpu(&count, |count| "ab".repeat(*count));
    let plan = graph.build().unwrap();
    for it in 1..5 {
        let mut report = wait_for("run", plan.with(&count, it).run(&scheduler));
        assert_eq!(report.take(&text), Some("ab".repeat(it)));
        assert_eq!((report.take(&text), report.get(&text)), (None, None));
    }
}

#[test]
fn nodes_run_after_whole_groups_and_are_drawn_in_them() {
    let mut graph = Graph::new();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let ran = Arc::clone(&ran);
        move |()| ran.lock().unwrap().push(name)
    };
    let load = graph.group("load");
    let report = graph.group("report");
    graph
        .node("sum")
        .group(report)
        .after_group(load)
        .cpu((), note("sum"));
    graph.node("a").group(load).cpu((), note("a"));
    graph.node("b").group(load).cpu((), note("b"));
    let plan = graph.build().unwrap();
    assert_eq!(plan.len(), 3);
    let dot = plan.to_dot();
    let expected = "digraph {\n    subgraph cluster_0 {\n        label=\"load\";\n        n1;\n        \
                    n2;\n    }\n    subgraph cluster_1 {\n        label=\"report\";\n        n0;\n    \
                    }\n    n0 [label=\"sum\", style=bold];\n    n1 [label=\"a\", style=bold];\n    \
                    n2 [label=\"b\"];\n    n1 -> n0 [style=bold];\n    n2 -> n0;\n}\n";
    assert_eq!(dot, expected);
    assert!(wait_for("run", plan.run(&scheduler())).is_ok());
    assert_eq!(*ran.lock().unwrap(), ["a", "b", "sum"]);
}

#[test]
fn within_a_priority_what_must_start_first_for_a_deadline_goes_first() {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let ran = Arc::clone(&ran);
        move |()| ran.lock().unwrap().push(name)
    };
    let mut graph = Graph::new();
    let gate = graph.node("gate").cpu((), |()| ());
    let long = graph.node("long").after(&gate).cpu((), note("long"));
    graph.node("after long").after(&long).cpu((), |()| ());
    let due = graph.node("due").after(&gate).cpu((), note("due"));
    let deadline = Duration::from_secs(5);
    graph
        .node("by five")
        .after(&due)
        .deadline(deadline)
        .cpu((), |()| ());
    let soon = graph
        .node("soon")
        .after(&gate)
        .deadline(Duration::from_secs(1));
    soon.cpu((), note("soon"));
    let important = graph.node("important").after(&gate);
    important
        .priority(Priority::Production)
        .cpu((), note("important"));
    assert!(run(graph).is_ok());
    assert_eq!(*ran.lock().unwrap(), ["important", "soon", "due", "long"]);
}

#[test]
fn mistakes_of_wishes_are_told_by_name() {
    let mut other = Graph::new();
    let foreign = other.node("foreign").cpu((), |()| 1);
    let group = other.group("group");
    let mut graph = Graph::new();
    let one = graph.node("one").cpu((), |()| 1);
    let list = graph.node("list").cpu((), |()| vec![1]);
    graph.result(&one);
    graph.result(&foreign);
    graph.node("retried").retries(SOON).cpu(one, |one| one);
    graph
        .node("anyway")
        .run_anyway()
        .cpu(&list, |list| list.len());
    graph
        .node("items")
        .timeout(Duration::MAX)
        .cpu_each(&list, |it| *it);
    graph.node("grouped").group(group).cpu((), |()| ());
    let expected = [
        "\"grouped\" names a group of another graph",
        "a result is an output of another graph",
        "the output of \"one\" is a result and is taken by \"retried\"; give it by reference",
        "\"retried\" is tried again and takes the output of \"one\", which is there only once; \
         give it by reference",
        "\"anyway\" is run anyway and needs the output of \"list\", which may be missing; use \
         it with `maybe()`",
        "\"items\" has a list of items and a time-out or retries; give the items' own work those",
    ];
    assert_eq!(mistakes(graph), expected);
}

#[test]
fn a_builder_that_is_dropped_leaves_nothing_behind() {
    let mut graph = Graph::new();
    let first = graph.node("first").cpu((), |()| 1);
    let unused = graph.node("unused").after(&first).after_named("nowhere");
    drop(unused);
    let second = graph.unnamed().cpu((), |()| 2);
    let plan = graph.build().unwrap();
    assert_eq!(plan.len(), 2);
    let report = wait_for("run", plan.run(&scheduler()));
    assert_eq!(
        (report.get(&first), report.get(&second)),
        (Some(&1), Some(&2))
    );
}

#[test]
fn plans_learn_by_class_and_what_they_learned_goes_to_the_next_process() {
    let build = || {
        let mut graph = Graph::new();
        for at in 0..4 {
            let node = graph.node(format!("resize {at}")).class("resize");
            node.cpu((), |()| std::hint::black_box(1));
        }
        graph.node("sum").cpu((), |()| ());
        graph.build().unwrap()
    };
    let (plan, scheduler) = (build(), scheduler());
    for _ in 0..6 {
        assert!(wait_for("run", plan.run(&scheduler)).is_ok());
    }
    let learned = plan.durations();
    let of_class = learned.class("resize").unwrap();
    assert!(of_class.count() >= 16, "{of_class:?}");
    assert_eq!(learned.expected("resize", "resize 0").basis, Basis::Node);
    assert!(learned.node("sum").is_none() && learned.class("sum").is_some());
    let next = build();
    next.learn(&learned);
    let again = next.durations();
    for class in ["resize", "sum"] {
        assert_eq!(again.class(class), learned.class(class));
    }
    assert!(wait_for("run", next.run(&scheduler)).is_ok());
}

#[test]
fn a_run_tells_how_far_it_is_and_gives_what_is_there() {
    let gate = Gate::closed("second");
    let door = gate.door();
    let mut graph = Graph::new();
    let first = graph.node("first").cpu((), |()| 1);
    let second = graph.node("second").blocking(&first, move |first| {
        door.pass();
        first + 1
    });
    let third = graph.node("third").cpu(&second, |second| second + 1);
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    let run = plan.run(&scheduler);
    gate.wait_for_arrivals(1);
    let progress = run.progress();
    assert_eq!((progress.nodes, progress.done, progress.running), (3, 1, 1));
    assert_eq!((run.get(&first), run.get(&second)), (Some(&1), None));
    gate.open();
    let report = wait_for("run", run);
    assert_eq!(report.get(&third), Some(&3));
    let progress = report.progress();
    assert_eq!(
        (progress.done, progress.running, progress.ended()),
        (3, 0, 3)
    );
    assert!(report.root_cause().is_none());
}

#[test]
fn a_graph_is_a_node_of_another_and_can_be_made_when_it_is_run() {
    let mut inner = Graph::new();
    let number = inner.input::<u64>("number");
    let half = inner.node("half").try_cpu(&number, |it| match it % 2 {
        0 => Ok(it / 2),
        _ => Err("it is odd"),
    });
    let inner = inner.build().unwrap();
    let mut graph = Graph::new();
    let odd = graph.node("odd").cpu((), |()| 7u64);
    let fails = graph
        .node("fails")
        .subgraph(&odd, move |odd| inner.with(&number, *odd).giving(&half));
    graph.node("after").after(&fails).cpu((), |()| ());
    let made = graph.node("made").subgraph(&odd, |count| {
        let mut graph = Graph::new();
        let parts: Vec<Output<u64>> = (0..*count)
            .map(|it| graph.unnamed().cpu((), move |()| it))
            .collect();
        let mut sum = graph.unnamed().cpu((), |()| 0);
        for part in parts {
            sum = graph.unnamed().cpu((part, sum), |(part, sum)| part + sum);
        }
        let plan = graph.build().expect("it has no mistakes");
        plan.prepare().giving(&sum)
    });
    let report = run(graph);
    let expected = [
        "fails: in the sub-graph, \"half\": it is odd",
        "after: not run, since \"fails\" failed",
    ];
    assert_eq!(failures(&report), expected);
    assert_eq!(report.get(&made), Some(&21));
}

#[test]
fn a_worker_that_queues_holds_up_nothing_more_important() {
    let scheduler = scheduler();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let ran = Arc::clone(&ran);
        move || ran.lock().unwrap().push(name)
    };
    // One CPU thread, which is held; behind it an ordinary task, and the worker of a run
    // that has only something unimportant to do yet.
    let cpu = Gate::closed("the CPU thread");
    let door = cpu.door();
    let holder = scheduler.task().priority(Priority::Monitoring);
    holder.spawn_fn(move || door.pass()).detach();
    cpu.wait_for_arrivals(1);
    let middling = scheduler.task().spawn_fn(note("middling"));
    let source = Gate::closed("source");
    let door = source.door();
    let mut graph = Graph::new();
    let (first, last) = (note("free"), note("important"));
    graph
        .node("free")
        .priority(Priority::Free)
        .cpu((), move |()| first());
    let made = graph.node("made").blocking((), move |()| door.pass());
    let important = graph.node("important").priority(Priority::Production);
    important.after(&made).cpu((), move |()| last());
    let run = graph.build().unwrap().run(&scheduler);
    source.wait_for_arrivals(1);
    source.open();
    until("the important node is ready", || run.progress().done == 1);
    cpu.open();
    assert!(wait_for("run", run).is_ok());
    wait_for("middling", middling).unwrap();
    assert_eq!(*ran.lock().unwrap(), ["important", "middling", "free"]);
}
