//! Task graphs: what is declared is checked whole, and a run gives each node its inputs
//! in the right order, whatever fails.

mod support;

use adaptive_task_scheduler::{
    Priority, Scheduler,
    graph::{Graph, Mistake, NodeError, Output, Plan},
};
use proptest::prelude::*;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use support::{Gate, plain, until, wait_for};

fn scheduler() -> Scheduler {
    plain().io_slots(2).build_runtime().unwrap()
}

fn mistakes(graph: Graph) -> Vec<String> {
    let error = graph.build().unwrap_err();
    error.mistakes().iter().map(Mistake::to_string).collect()
}

#[test]
fn outputs_are_shared_by_reference_and_taken_by_value_on_all_lanes() {
    let mut graph = Graph::new();
    let words = graph.node("words").blocking((), |()| vec!["a", "bc"]);
    let lengths = graph.node("lengths").cpu(&words, |words| {
        words.iter().map(|it| it.len()).collect::<Vec<_>>()
    });
    let joined = graph.node("joined").io(&words, |words| async move {
        tokio::task::yield_now().await;
        words.concat()
    });
    let taken = graph
        .node("taken")
        .io((lengths, &joined), |(lengths, joined)| async move {
            (lengths, joined.len())
        });
    let plan = graph.build().unwrap();
    let scheduler = scheduler();
    let runs: Vec<_> = (0..10).map(|_| plan.run(&scheduler)).collect();
    for run in runs {
        let report = wait_for("run", run);
        assert!(report.is_ok(), "{report:?}");
        assert_eq!(report.get(&taken), Some(&(vec![1, 2], 3)));
        assert_eq!(report.get(&joined).map(String::as_str), Some("abc"));
    }
}

#[test]
fn all_mistakes_are_told_together() {
    let mut other = Graph::new();
    let foreign = other.node("foreign").cpu((), |()| 1);
    let mut graph = Graph::new();
    let one = graph.node("one").after_named("nowhere").cpu((), |()| 1);
    graph.node("reads").cpu(&one, |one| *one);
    graph.node("takes").cpu(one, |one| one);
    graph.node("doubled").cpu(&foreign, |one| *one);
    graph.node("doubled").after_named("last").cpu((), |()| ());
    graph.node("first").after_named("last").cpu((), |()| ());
    graph.node("last").after_named("first").cpu((), |()| ());
    let told = mistakes(graph);
    let found = [
        "several nodes are called \"doubled\"",
        "\"doubled\" uses an output of another graph",
        "the output of \"one\" is taken by \"takes\" and used by \"reads\" too; \
         give it to both by reference",
        "\"one\" runs after \"nowhere\", which does not exist",
    ];
    assert_eq!(told[..4], found);
    let cycle = "nodes run after each other: \"first\" -> \"last\" -> \"first\"";
    let turned = "nodes run after each other: \"last\" -> \"first\" -> \"last\"";
    assert!(told[4] == cycle || told[4] == turned, "{}", told[4]);
    assert_eq!(told.len(), 5);
}

#[test]
fn a_failure_fails_what_runs_after_it_and_only_that_with_the_cause() {
    let mut graph = Graph::new();
    let fails = graph
        .node("fails")
        .try_cpu((), |()| Err::<u32, _>("no luck"));
    let child = graph.node("child").cpu(&fails, |it| *it);
    let grandchild = graph.node("grandchild").io(&child, |it| async move { *it });
    let panics = graph
        .node("panics")
        .io((), |()| async { panic!("at {}", 7) });
    graph
        .node("after panic")
        .after(&panics)
        .blocking((), |()| ());
    let well = graph.node("well").cpu((), |()| 5);
    let plan = graph.build().unwrap();
    let report = wait_for("run", plan.run(&scheduler()));
    let failures: Vec<_> = report
        .failures()
        .map(|(name, error)| format!("{name}: {error}"))
        .collect();
    let expected = [
        "fails: no luck",
        "child: not run, since \"fails\" failed",
        "grandchild: not run, since \"fails\" failed",
        "panics: panicked: at 7",
        "after panic: not run, since \"panics\" failed",
    ];
    assert_eq!(failures, expected);
    assert_eq!(report.get(&well), Some(&5));
    assert_eq!(report.get(&grandchild), None);
}

/// Notes its nodes' names as they run.
fn noting(
    graph: &mut Graph,
    notes: &Arc<Mutex<Vec<&'static str>>>,
    name: &'static str,
    priority: Priority,
) -> Output<()> {
    let notes = Arc::clone(notes);
    let node = graph.node(name).priority(priority).after_named("gate");
    node.cpu((), move |()| notes.lock().unwrap().push(name))
}

#[test]
fn ready_nodes_come_by_effective_priority_and_then_by_the_longest_path() {
    let notes = Arc::default();
    let mut graph = Graph::new();
    noting(&mut graph, &notes, "leaf", Priority::Mid);
    let long = noting(&mut graph, &notes, "long", Priority::Mid);
    let lent = noting(&mut graph, &notes, "lent", Priority::Free);
    noting(&mut graph, &notes, "own", Priority::Production);
    graph.node("after long").after(&long).cpu((), |()| ());
    let important = graph.node("important").priority(Priority::Monitoring);
    important.after(&lent).cpu((), |()| ());
    graph.node("gate").cpu((), |()| ());
    let plan = graph.build().unwrap();
    assert!(wait_for("run", plan.run(&scheduler())).is_ok());
    assert_eq!(*notes.lock().unwrap(), ["lent", "own", "long", "leaf"]);
}

#[test]
fn who_awaits_a_run_lends_to_what_it_is_doing() {
    let scheduler = scheduler();
    let gate = Gate::closed("node");
    let (door, task) = (gate.door(), Arc::new(Mutex::new(None)));
    let seen = Arc::clone(&task);
    let mut graph = Graph::new();
    graph
        .node("held")
        .priority(Priority::Free)
        .blocking((), move |()| {
            *seen.lock().unwrap() = adaptive_task_scheduler::current_task();
            door.pass();
        });
    let run = graph.build().unwrap().run(&scheduler);
    gate.wait_for_arrivals(1);
    let id = task.lock().unwrap().expect("it runs in a task");
    let waits = scheduler.task().priority(Priority::Production).spawn(run);
    until("the run is lent to", || {
        let explained = scheduler.explain(id);
        explained.is_some_and(|it| it.chain[0].effective_priority == Priority::Production)
    });
    gate.open();
    assert!(wait_for("run", waits).unwrap().is_ok());
}

#[test]
fn a_cancelled_run_ends_without_running_what_is_left() {
    let scheduler = scheduler();
    let mut graph = Graph::new();
    let hangs = graph
        .node("hangs")
        .io((), |()| std::future::pending::<()>());
    graph
        .node("after")
        .after(&hangs)
        .cpu((), |()| unreachable!());
    let plan = graph.build().unwrap();
    let run = plan.run(&scheduler);
    until("the first node is suspended", || {
        scheduler.stats().spawned > 0 && run.unfinished() == 2
    });
    run.cancel();
    let report = wait_for("run", run);
    assert_eq!(report.failures().count(), 2);
    for (_, error) in report.failures() {
        assert!(matches!(error, NodeError::Cancelled), "{error}");
    }
    drop(plan.run(&scheduler));
}

#[test]
fn a_run_ends_when_its_scheduler_does() {
    let scheduler = scheduler();
    let mut graph = Graph::new();
    let mut last = graph.node("0").io((), |()| std::future::pending::<()>());
    for at in 1..2_000 {
        let node = graph.node(at.to_string()).after(&last);
        last = node.io((), |()| std::future::ready(()));
    }
    let plan = graph.build().unwrap();
    let begun = plan.run(&scheduler);
    wait_for("shutdown", scheduler.shutdown(std::time::Duration::ZERO));
    assert_eq!(wait_for("begun", begun).failures().count(), 2_000);
    let refused = plan.run(&scheduler);
    assert_eq!(wait_for("refused", refused).failures().count(), 2_000);
}

#[test]
fn a_long_chain_needs_no_stack_and_drawings_mark_the_longest_path() {
    let mut graph = Graph::new();
    let mut last = graph.node("0").cpu((), |()| 0u32);
    for at in 1..50_000 {
        last = graph.node(at.to_string()).cpu(last, |before| before + 1);
    }
    let plan = graph.build().unwrap();
    let report = wait_for("run", plan.run(&scheduler()));
    assert_eq!(report.get(&last), Some(&49_999));

    let mut graph = Graph::new();
    let quoted = graph.node("say \"hi\"").cpu((), |()| ());
    graph.node("after").after(&quoted).cpu((), |()| ());
    graph.node("apart").cpu((), |()| ());
    let plan = graph.build().unwrap();
    let dot = "digraph {\n    n0 [label=\"say \\\"hi\\\"\", style=bold];\n    \
               n1 [label=\"after\", style=bold];\n    n2 [label=\"apart\"];\n    n0 -> n1 [style=bold];\n}\n";
    assert_eq!(plan.to_dot(), dot);
    let mermaid = "flowchart TD\n    n0[\"say #34;hi#34;\"]\n    n1[\"after\"]\n    \
                   n2[\"apart\"]\n    n0 --> n1\n    style n0 stroke-width:4px\n    \
                   style n1 stroke-width:4px\n";
    assert_eq!(plan.to_mermaid(), mermaid);
    assert_eq!(plan.len(), 3);
}

/// What each node does, and which of those before it it runs after.
fn random() -> impl Strategy<Value = Vec<(u8, Vec<usize>)>> {
    let node = (0..8u8, prop::collection::vec(0..40usize, 0..4));
    prop::collection::vec(node, 1..40)
}

/// Its nodes add up what those before them gave; some fail.
fn declare(nodes: &[(u8, Vec<usize>)], ran: &Arc<AtomicUsize>) -> (Plan, Vec<Output<u64>>) {
    let mut graph = Graph::new();
    let mut outputs: Vec<Output<u64>> = Vec::new();
    for (at, (kind, after)) in nodes.iter().enumerate() {
        let name = format!("node {at}");
        let zero = graph.node(format!("zero {at}")).cpu((), |()| 0u64);
        let input = |nth: usize| match after.get(nth) {
            Some(before) if at > 0 => &outputs[before % at],
            _ => &zero,
        };
        let inputs = (input(0), input(1), input(2));
        let ran = Arc::clone(ran);
        let fails = *kind == 0;
        let result = move |sum: u64| {
            ran.fetch_add(1, SeqCst);
            if fails { Err("fails") } else { Ok(sum + 1) }
        };
        let node = graph.node(name);
        let output = match kind % 4 {
            0 | 1 => node.try_cpu(inputs, move |(a, b, c)| result(a + b + c)),
            2 => node.try_io(inputs, move |(a, b, c)| {
                let ended = result(*a + *b + *c);
                async move { ended }
            }),
            _ => node.try_blocking(inputs, move |(a, b, c)| result(a + b + c)),
        };
        outputs.push(output);
    }
    (graph.build().unwrap(), outputs)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_graphs_give_what_a_naive_runner_gives(nodes in random()) {
        let ran = Arc::default();
        let (plan, outputs) = declare(&nodes, &ran);
        let scheduler = plain().io_slots(2).cpu_threads(2).build_runtime().unwrap();
        let report = wait_for("run", plan.run(&scheduler));
        let mut expected: Vec<Option<u64>> = Vec::new();
        let mut runs = 0;
        for (at, (kind, after)) in nodes.iter().enumerate() {
            let before = after.iter().take(3).filter(|_| at > 0).map(|it| expected[it % at]);
            let sum: Option<u64> = before.sum();
            runs += usize::from(sum.is_some());
            expected.push(sum.filter(|_| *kind != 0).map(|sum| sum + 1));
        }
        let given: Vec<_> = outputs.iter().map(|it| report.get(it).copied()).collect();
        prop_assert_eq!(given, expected);
        prop_assert_eq!(ran.load(SeqCst), runs);
    }
}
