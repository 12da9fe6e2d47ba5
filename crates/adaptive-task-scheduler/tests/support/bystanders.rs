//! Bystanders: tasks that show that timers, I/O, and tasks go on.

use super::{join_all, until};
use adaptive_task_scheduler::{Scheduler, TaskHandle};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[derive(Debug, Default)]
struct Counts {
    ticks: AtomicU64,
    echoes: AtomicU64,
    plain: AtomicU64,
    stop: AtomicBool,
}

/// A ticking task, a pair that talks over TCP, and a ticking task of plain
/// Tokio.
#[derive(Debug)]
pub(crate) struct Bystanders {
    counts: Arc<Counts>,
    tasks: Vec<TaskHandle<()>>,
}

impl Bystanders {
    /// Starts them on the scheduler and waits until all are on their way.
    pub(crate) fn start(scheduler: &Scheduler) -> Self {
        let counts = Arc::new(Counts::default());
        let tasks = vec![
            scheduler
                .task()
                .name("ticking")
                .spawn(tick(Arc::clone(&counts), |counts| &counts.ticks)),
            scheduler
                .task()
                .name("talking")
                .spawn(talk(Arc::clone(&counts))),
        ];
        scheduler
            .runtime()
            .spawn(tick(Arc::clone(&counts), |counts| &counts.plain));
        let bystanders = Self { counts, tasks };
        bystanders.go_on("at the beginning");
        bystanders
    }

    fn progress(&self) -> [u64; 3] {
        let Counts {
            ticks,
            echoes,
            plain,
            ..
        } = &*self.counts;
        [ticks, echoes, plain].map(|count| count.load(Relaxed))
    }

    /// Waits until each of them has gone on for a good while from now.
    pub(crate) fn go_on(&self, when: &str) {
        let before = self.progress();
        for (at, what) in ["timers", "I/O", "plain Tokio tasks"]
            .into_iter()
            .enumerate()
        {
            let what = format!("{what} go on {when}");
            until(&what, || self.progress()[at] >= before[at] + 10);
        }
    }

    pub(crate) fn stop(self) {
        self.counts.stop.store(true, Relaxed);
        join_all(self.tasks);
    }
}

async fn tick(counts: Arc<Counts>, count: fn(&Counts) -> &AtomicU64) {
    while !counts.stop.load(Relaxed) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        count(&counts).fetch_add(1, Relaxed);
    }
}

async fn talk(counts: Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = Scheduler::current()
        .task()
        .name("echoing")
        .spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut byte = [0];
            while stream.read(&mut byte).await.unwrap() == 1 {
                stream.write_all(&byte).await.unwrap();
            }
        });
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut byte = [0];
    while !counts.stop.load(Relaxed) {
        stream.write_all(&byte).await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        counts.echoes.fetch_add(1, Relaxed);
    }
    drop(stream);
    echo.await.unwrap();
}
