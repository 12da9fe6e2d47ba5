//! What Tokio offers works inside tasks as it does outside of them.

mod support;

use adaptive_task_scheduler::{Scheduler, TaskHandle, current_task};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use support::{Gate, join_all, one_slot, plain, runtime, until, wait_for};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Mutex, Semaphore, broadcast, mpsc, oneshot},
    task::JoinSet,
};

/// Runs a task on schedulers of all three kinds, and on each lane of them.
fn check<F, T>(expected: T, task: impl Fn() -> F)
where
    F: Future<Output = T> + Send + 'static,
    T: std::fmt::Debug + PartialEq + Send + 'static,
{
    check_on(
        &plain().io_slots(2).build_runtime().unwrap(),
        &expected,
        &task,
    );
    let (attached, _) = runtime(2);
    check_on(
        &plain().build_on(attached.handle().clone()).unwrap(),
        &expected,
        &task,
    );
    let current = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let scheduler = plain()
        .io_slots(2)
        .build_on(current.handle().clone())
        .unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let driver = std::thread::spawn(move || current.block_on(stopped).is_ok());
    check_on(&scheduler, &expected, &task);
    stop.send(()).unwrap();
    assert!(driver.join().unwrap());
}

fn check_on<F, T>(scheduler: &Scheduler, expected: &T, task: &impl Fn() -> F)
where
    F: Future<Output = T> + Send + 'static,
    T: std::fmt::Debug + PartialEq + Send + 'static,
{
    let handles = [
        scheduler.task().name("on the io lane").spawn(task()),
        scheduler.task().name("on the cpu lane").cpu().spawn(task()),
        scheduler
            .task()
            .name("on the blocking lane")
            .blocking()
            .spawn(task()),
    ];
    for value in join_all(handles) {
        assert_eq!(value, *expected);
    }
}

#[test]
fn spawn_and_spawn_blocking() {
    check((vec![1, 2, 3], false), || async {
        let outer = tokio::spawn(async {
            let inner = tokio::spawn(async { 2 });
            let blocking = tokio::task::spawn_blocking(|| 3);
            (
                vec![1, inner.await.unwrap(), blocking.await.unwrap()],
                current_task().is_some(),
            )
        });
        // A plain Tokio task is none of the scheduler's, whoever spawned it.
        outer.await.unwrap()
    });
}

#[test]
fn join_set_and_select() {
    check((4_950, "timer"), || async {
        let mut set = JoinSet::new();
        (0..100).for_each(|number| drop(set.spawn(async move { number })));
        let mut sum = 0;
        while let Some(number) = set.join_next().await {
            sum += number.unwrap();
        }
        let (_keep, mut never) = mpsc::channel::<()>(1);
        let chosen = tokio::select! {
            _ = never.recv() => "channel",
            () = tokio::time::sleep(Duration::from_millis(1)) => "timer",
        };
        (sum, chosen)
    });
}

#[test]
fn select_over_handles_of_tasks() {
    check((1, true), || async {
        let scheduler = Scheduler::current();
        let (send, receive) = oneshot::channel::<()>();
        let mut slow = scheduler.spawn(async move { receive.await.is_ok() });
        let fast = scheduler.spawn(async { 1 });
        let first = tokio::select! {
            fast = fast => fast.unwrap(),
            slow = &mut slow => panic!("{slow:?}"),
        };
        send.send(()).unwrap();
        (first, slow.await.unwrap())
    });
}

#[test]
fn timers() {
    check((true, 3), || async {
        let never = std::future::pending::<()>();
        let timed_out = tokio::time::timeout(Duration::from_millis(1), never)
            .await
            .is_err();
        let mut interval = tokio::time::interval(Duration::from_millis(1));
        let mut ticks = 0;
        for _ in 0..3 {
            interval.tick().await;
            ticks += 1;
        }
        (timed_out, ticks)
    });
}

#[test]
fn channels_and_locks() {
    check((200, 100), || async {
        let total = Arc::new(Mutex::new(0));
        let permits = Arc::new(Semaphore::new(2));
        let (send, mut receive) = broadcast::channel::<u32>(200);
        let (queue, mut queued) = mpsc::channel(1);
        let scheduler = Scheduler::current();
        let mut group = scheduler.group();
        for _ in 0..100 {
            let (total, permits) = (Arc::clone(&total), Arc::clone(&permits));
            let (send, queue) = (send.clone(), queue.clone());
            group.spawn(async move {
                let _permit = permits.acquire().await.unwrap();
                *total.lock().await += 2;
                send.send(1).unwrap();
                queue.send(()).await.unwrap();
            });
        }
        drop((send, queue));
        while queued.recv().await.is_some() {}
        while group.join_next().await.is_some() {}
        let mut received = 0;
        while receive.recv().await.is_ok() {
            received += 1;
        }
        let total = *total.lock().await;
        (total, received)
    });
}

#[test]
fn files() {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    check("written by a task".to_owned(), || async {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ats-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        tokio::fs::write(&path, "written by a task").await.unwrap();
        let text = tokio::fs::read_to_string(&path).await.unwrap();
        tokio::fs::remove_file(&path).await.unwrap();
        text
    });
}

#[test]
fn sockets() {
    check((b"hello".to_vec(), *b"datagram"), || async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Scheduler::current().spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"hello").await.unwrap();
        });
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        server.await.unwrap();
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket
            .send_to(b"datagram", socket.local_addr().unwrap())
            .await
            .unwrap();
        let mut datagram = [0; 8];
        socket.recv_from(&mut datagram).await.unwrap();
        (received, datagram)
    });
}

#[test]
fn a_child_process() {
    check(Some(3), || async {
        let mut command = tokio::process::Command::new("sh");
        command
            .args(["-c", "exit 3"])
            .status()
            .await
            .unwrap()
            .code()
    });
}

/// Blocks in `block_in_place` on every slot, while other tasks must go on.
fn check_block_in_place(scheduler: &Scheduler, slots: usize) {
    let gate = Gate::closed("blocks in place");
    let spawn = |_| {
        let door = gate.door();
        scheduler.spawn(async move {
            let before = current_task();
            tokio::task::block_in_place(|| door.pass());
            tokio::time::sleep(Duration::from_millis(1)).await;
            before == current_task()
        })
    };
    let blocking: Vec<_> = (0..slots).map(spawn).collect();
    gate.wait_for_arrivals(slots);
    let others = (0..50)
        .map(|_| scheduler.spawn(async { tokio::time::sleep(Duration::from_millis(1)).await }));
    join_all(others.collect::<Vec<_>>());
    gate.open();
    assert!(join_all(blocking).into_iter().all(|same| same));
    join_all([scheduler.spawn(async {})]);
}

#[test]
fn block_in_place() {
    check_block_in_place(
        &Scheduler::builder().io_slots(2).build_runtime().unwrap(),
        2,
    );
    let (runtime, _) = runtime(2);
    check_block_in_place(
        &Scheduler::builder()
            .build_on(runtime.handle().clone())
            .unwrap(),
        1,
    );
}

type OnLane = fn(&Scheduler, Closure) -> TaskHandle<u32>;

fn check_closures_may_wait(lane: OnLane) {
    let scheduler = one_slot();
    let (send, receive) = oneshot::channel();
    let task = lane(
        &scheduler,
        Box::new(move || receive.blocking_recv().unwrap()),
    );
    send.send(5).unwrap();
    assert_eq!(join_all([task]), [5]);

    let sender = scheduler.clone();
    let closure = move || {
        let inner = sender.spawn(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            6
        });
        tokio::runtime::Handle::current().block_on(inner).unwrap()
    };
    assert_eq!(join_all([lane(&scheduler, Box::new(closure))]), [6]);
}

#[test]
fn blocking_closures_may_wait_on_channels_and_futures() {
    check_closures_may_wait(|scheduler, closure| scheduler.blocking(closure));
}

#[test]
fn cpu_closures_may_wait_on_channels_and_futures() {
    check_closures_may_wait(|scheduler, closure| scheduler.cpu(closure));
}

type Closure = Box<dyn FnOnce() -> u32 + Send>;

/// A task whose channel always has something for it, until another has run.
async fn always_ready(stop: Arc<AtomicBool>) -> u64 {
    let (send, mut receive) = mpsc::unbounded_channel();
    let mut received = 0;
    send.send(()).unwrap();
    while !stop.load(Ordering::Relaxed) {
        receive.recv().await.unwrap();
        send.send(()).unwrap();
        received += 1;
    }
    received
}

/// Polls an always-ready task and another on the only thread of a lane.
fn check_budget(spawn: impl Fn(&Scheduler, Arc<AtomicBool>, bool)) {
    let scheduler = plain()
        .io_slots(1)
        .cpu_threads(1)
        .blocking_limit(1)
        .build_runtime()
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    spawn(&scheduler, Arc::clone(&stop), false);
    spawn(&scheduler, Arc::clone(&stop), true);
    until("both have ended", || scheduler.stats().live == 0);
}

async fn always_ready_or_stop(stop: Arc<AtomicBool>, stops: bool) {
    if stops {
        stop.store(true, Ordering::Relaxed);
    } else {
        always_ready(stop).await;
    }
}

#[test]
fn the_cooperative_budget_lets_other_tasks_in_on_every_lane() {
    check_budget(|scheduler, stop, stops| {
        scheduler.spawn(always_ready_or_stop(stop, stops)).detach();
    });
    check_budget(|scheduler, stop, stops| {
        scheduler
            .task()
            .cpu()
            .spawn(always_ready_or_stop(stop, stops))
            .detach();
    });
    check_budget(|scheduler, stop, stops| {
        scheduler
            .task()
            .blocking()
            .spawn(always_ready_or_stop(stop, stops))
            .detach();
    });
}

#[test]
fn the_cooperative_budget_lets_io_and_timers_in() {
    let scheduler = one_slot();
    let stop = Arc::new(AtomicBool::new(false));
    let hungry = scheduler.spawn(always_ready(Arc::clone(&stop)));
    let timer = scheduler.spawn(async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        stop.store(true, Ordering::Relaxed);
    });
    join_all([timer]);
    assert!(wait_for("the hungry task", hungry).unwrap() > 0);
}

#[test]
fn a_plain_tokio_task_awaits_and_wakes_the_schedulers_tasks() {
    let scheduler = one_slot();
    let (send, mut receive) = mpsc::channel::<u32>(1);
    let ours = scheduler.spawn(async move {
        let mut sum = 0;
        while let Some(number) = receive.recv().await {
            sum += number;
        }
        sum
    });
    let theirs = scheduler.runtime().spawn(async move {
        for number in 0..1_000 {
            send.send(number).await.unwrap();
        }
        drop(send);
        ours.await.unwrap()
    });
    assert_eq!(wait_for("the plain task", theirs).unwrap(), 499_500);
}
