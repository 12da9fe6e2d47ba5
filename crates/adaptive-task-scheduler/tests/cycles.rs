//! Tasks that would wait for themselves are told so, and go on.

mod support;

use adaptive_task_scheduler::{
    Priority, Scheduler, TaskError, TaskHandle, TaskId, TaskName, TaskState, Watch,
};
use std::{collections::HashSet, fmt};
use support::{Gate, effective, hold_slot, join_all, one_slot, plain, until, wait_for};
use tokio::sync::oneshot;

type Path<'a> = &'a [(TaskId, TaskName)];

/// The cycle names these tasks, in the order of waiting, wherever it begins.
fn check_path(path: Path<'_>, expected: &[(TaskId, &str)]) {
    let path: Vec<_> = path
        .iter()
        .map(|(id, name)| (*id, name.to_string()))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(id, name)| (*id, (*name).to_owned()))
        .collect();
    let mut turned = expected.clone();
    for _ in 0..expected.len() {
        if turned == path {
            return;
        }
        turned.rotate_left(1);
    }
    panic!("{path:?} is not the cycle {expected:?}");
}

/// A task that awaits whatever it is told, and ends with what that gave.
struct Awaiting {
    tell: oneshot::Sender<Watch>,
    task: TaskHandle<Result<(), TaskError>>,
}

fn awaiting(scheduler: &Scheduler, name: &'static str) -> Awaiting {
    let (tell, told) = oneshot::channel::<Watch>();
    let task = scheduler
        .task()
        .name(name)
        .spawn(async move { told.await.unwrap().await });
    Awaiting { tell, task }
}

fn is_suspended<T>(task: &TaskHandle<T>) -> bool {
    task.state() == TaskState::Suspended
}

/// Makes a ring of tasks each of which awaits the next, and checks that one of
/// them is told of the cycle and all end.
fn check_ring(scheduler: &Scheduler, names: &[&'static str]) {
    let ring: Vec<_> = names.iter().map(|name| awaiting(scheduler, name)).collect();
    let watches: Vec<_> = ring.iter().map(|member| member.task.watch()).collect();
    let expected: Vec<_> = watches
        .iter()
        .map(Watch::id)
        .zip(names.iter().copied())
        .collect();
    let (tells, tasks): (Vec<_>, Vec<_>) = ring
        .into_iter()
        .map(|member| (member.tell, member.task))
        .unzip();
    for (at, tell) in tells.into_iter().enumerate() {
        tell.send(watches[(at + 1) % names.len()].clone()).unwrap();
    }
    let mut cycles = 0;
    for ended in join_all(tasks) {
        if let Err(error) = ended {
            assert!(error.is_cycle(), "{error}");
            check_path(error.cycle().unwrap(), &expected);
            assert!(
                names.iter().all(|name| error.to_string().contains(name)),
                "{error}"
            );
            cycles += 1;
        }
    }
    assert_eq!(cycles, 1, "exactly one member is told");
}

#[test]
fn of_two_tasks_that_await_each_other_one_is_told() {
    check_ring(&one_slot(), &["ping", "pong"]);
}

#[test]
fn of_three_tasks_in_a_ring_one_is_told() {
    check_ring(&one_slot(), &["rock", "paper", "scissors"]);
}

#[test]
fn a_task_that_awaits_itself_is_told() {
    check_ring(&one_slot(), &["narcissus"]);
}

#[test]
fn rings_closed_on_all_slots_at_once_never_hang() {
    let scheduler = plain().io_slots(4).cpu_threads(2).build_runtime().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..100 {
                    check_ring(&scheduler, &["a", "b"]);
                    check_ring(&scheduler, &["a", "b", "c", "d"]);
                }
            });
        }
    });
}

#[test]
fn a_task_that_is_given_its_own_handle_is_told_and_goes_on() {
    let scheduler = one_slot();
    let (tell, told) = oneshot::channel::<TaskHandle<&'static str>>();
    let task = scheduler.task().name("self").spawn(async move {
        let mut me = told.await.unwrap();
        let error = (&mut me).await.unwrap_err();
        let path = error.cycle().unwrap();
        check_path(path, &[(me.id(), "self")]);
        // A watch tells the same, and asking again too.
        assert!(me.watch().await.unwrap_err().is_cycle());
        assert!(me.await.unwrap_err().is_cycle());
        "went on"
    });
    until("it waits for its handle", || is_suspended(&task));
    let watch = task.watch();
    tell.send(task).unwrap();
    wait_for("the task", watch).unwrap();
}

#[test]
fn who_is_told_can_go_on_and_the_others_get_their_values() {
    let scheduler = one_slot();
    let (tell, told) = oneshot::channel::<Watch>();
    let first = scheduler.task().name("first").spawn(async move {
        let error = told.await.unwrap().await.unwrap_err();
        assert!(error.is_cycle());
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        "value of the first"
    });
    let second = scheduler
        .task()
        .name("second")
        .spawn(async move { first.await.unwrap() });
    until("the second waits", || is_suspended(&second));
    tell.send(second.watch()).unwrap();
    assert_eq!(join_all([second]), ["value of the first"]);
}

#[test]
fn the_loan_of_a_refused_wait_is_taken_back() {
    let scheduler = one_slot();
    let member = awaiting(&scheduler, "told");
    let id = member.task.id();
    let gate = Gate::closed("the second's way on");
    let door = gate.door();
    let (go, gone) = oneshot::channel::<()>();
    let watch = member.task.watch();
    let second = scheduler
        .task()
        .name("second")
        .priority(Priority::Production);
    let second = second.spawn(async move {
        watch.await.unwrap();
        door.pass();
        gone.await.unwrap();
    });
    until("the second waits", || is_suspended(&second));
    assert_eq!(effective(&scheduler, id), Priority::Production);
    member.tell.send(second.watch()).unwrap();
    let told = join_all([member.task]).remove(0).unwrap_err();
    check_path(
        told.cycle().unwrap(),
        &[(id, "told"), (second.id(), "second")],
    );
    gate.wait_for_arrivals(1);
    assert_eq!(second.explain().chain.len(), 1, "{}", second.explain());
    gate.open();
    go.send(()).unwrap();
    join_all([second]);
}

#[test]
fn a_cycle_of_declared_dependencies_is_refused_and_names_all() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let root = scheduler.task().name("root").spawn(async {});
    let a = scheduler.task().name("a").after(&root).spawn(async {});
    let b = scheduler.task().name("b").after(&a).spawn(async {});
    let c = scheduler.task().name("c").after(&b).spawn(async {});
    let error = scheduler.add_dependency(a.id(), c.id()).unwrap_err();
    check_path(
        error.cycle().unwrap(),
        &[(a.id(), "a"), (c.id(), "c"), (b.id(), "b")],
    );
    let text = error.to_string();
    assert_eq!(
        text,
        "tasks would wait for each other: \"a\" -> \"c\" -> \"b\" -> \"a\""
    );
    let itself = scheduler.add_dependency(b.id(), b.id()).unwrap_err();
    check_path(itself.cycle().unwrap(), &[(b.id(), "b")]);
    // What is no cycle is taken all the same afterwards.
    scheduler.add_dependency(c.id(), a.id()).unwrap();
    gate.open();
    join_all([root, a, b, c]);
}

#[test]
fn a_cycle_of_declared_and_awaited_edges_is_told_to_who_awaits() {
    let scheduler = one_slot();
    let (tell, told) = oneshot::channel::<Watch>();
    let base = scheduler.task().name("base").spawn(async move {
        let error = told.await.unwrap().await.unwrap_err();
        error.cycle().unwrap().to_vec()
    });
    let middle = scheduler.task().name("middle").after(&base).spawn(async {});
    let top = scheduler.task().name("top").after(&middle).spawn(async {});
    let expected = [
        (base.id(), "base"),
        (top.id(), "top"),
        (middle.id(), "middle"),
    ];
    until("the base waits to be told", || is_suspended(&base));
    tell.send(top.watch()).unwrap();
    check_path(&join_all([base])[0], &expected);
    join_all([middle, top]);
}

#[test]
fn a_cycle_through_a_group_is_told() {
    let scheduler = one_slot();
    let (tell, told) = oneshot::channel::<Watch>();
    let parent = scheduler.task().name("parent").spawn(async move {
        let mut group = Scheduler::current().group();
        group.spawn_with(|task| task.name("child"), async move {
            told.await.unwrap().await.unwrap_err()
        });
        group.join_next().await.unwrap().unwrap()
    });
    until("the parent waits", || is_suspended(&parent));
    let id = parent.id();
    tell.send(parent.watch()).unwrap();
    let error = join_all([parent]).remove(0);
    let names = names(error.cycle().unwrap());
    assert!(
        names.contains("parent") && names.contains("child"),
        "{error}"
    );
    assert!(error.cycle().unwrap().iter().any(|(task, _)| *task == id));
}

fn names(path: Path<'_>) -> HashSet<String> {
    path.iter().map(|(_, name)| name.to_string()).collect()
}

#[test]
fn a_cycle_across_two_schedulers_is_told() {
    let (left, right) = (one_slot(), one_slot());
    let (tell, told) = oneshot::channel::<Watch>();
    let first = left
        .task()
        .name("left")
        .spawn(async move { told.await.unwrap().await });
    let watch = first.watch();
    let second = right.task().name("right").spawn(watch);
    until("the second waits", || is_suspended(&second));
    let expected = [(first.id(), "left"), (second.id(), "right")];
    tell.send(second.watch()).unwrap();
    let error = join_all([first]).remove(0).unwrap_err();
    check_path(error.cycle().unwrap(), &expected);
    join_all([second]).remove(0).unwrap();
}

#[test]
fn waiting_for_one_task_by_many_ways_is_no_cycle() {
    let scheduler = one_slot();
    let (go, gone) = oneshot::channel::<()>();
    let base = scheduler.spawn(async move { gone.await.is_ok() });
    let spawn = |on: Vec<Watch>| {
        scheduler.spawn(async move {
            for watch in on {
                watch.await.unwrap();
            }
        })
    };
    let left = spawn(vec![base.watch()]);
    let right = spawn(vec![base.watch(), left.watch()]);
    let top = spawn(vec![
        left.watch(),
        right.watch(),
        base.watch(),
        left.watch(),
    ]);
    until("all wait", || {
        [&left, &right, &top].into_iter().all(is_suspended)
    });
    go.send(()).unwrap();
    join_all([left, right, top]);
    check_ended(base);
}

fn check_ended<T: fmt::Debug + 'static>(task: TaskHandle<T>) {
    wait_for("the task", task).unwrap();
}
