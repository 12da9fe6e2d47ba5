//! Reports are stuck inside polls on every slot; important requests are answered
//! all the same. Nothing here is timed: the reports wait at a gate that the test
//! opens only after the important requests have had their answers. The limits
//! below only turn a hang into a failure.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use adaptive_task_scheduler::{Event, Events, Scheduler};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const SLOTS: usize = 2;
/// More than slots: the later ones get a place to be stuck in only because the
/// slots of the earlier ones were handed off.
const REPORTS: usize = 2 * SLOTS;
const IMPORTANT: usize = 16;
const HANG: Duration = Duration::from_secs(60);

/// Where reports stand inside their poll until the test lets them go.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    open: bool,
    inside: usize,
}

impl Gate {
    /// What a report does: it blocks its thread, and says so beforehand.
    fn pass(&self) -> String {
        let mut state = self.lock();
        state.inside += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| !state.open).unwrap();
        state.inside -= 1;
        String::from("report: done\n")
    }

    fn wait_until_inside(&self, reports: usize) {
        let state = self.lock();
        let (state, outcome) = self
            .changed
            .wait_timeout_while(state, HANG, |state| state.inside < reports)
            .unwrap();
        assert!(
            !outcome.timed_out(),
            "only {} of {reports} reports started",
            state.inside
        );
    }

    fn inside(&self) -> usize {
        self.lock().inside
    }

    fn open(&self) {
        self.lock().open = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap()
    }
}

/// Opens the gate also when the test fails, so that the service can stop.
struct OpenAtEnd(Arc<Gate>);

impl Drop for OpenAtEnd {
    fn drop(&mut self) {
        self.0.open();
    }
}

struct RunningService {
    address: SocketAddr,
    scheduler: Scheduler,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl RunningService {
    fn start(gate: &Arc<Gate>) -> Self {
        let scheduler = Scheduler::builder()
            .io_slots(SLOTS)
            .build_runtime()
            .unwrap();
        let gate = Arc::clone(gate);
        let app = axum_example::app_with(scheduler.clone(), Arc::new(move || gate.pass()));
        let listener = scheduler
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = scheduler.clone();
        let thread = thread::spawn(move || {
            let stopped = async { drop(stopped.await) };
            serving
                .block_on(axum_example::serve(listener, app, stopped))
                .unwrap();
        });
        Self {
            address,
            scheduler,
            stop,
            thread,
        }
    }

    fn stop(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
        let report = self.scheduler.block_on(self.scheduler.shutdown(HANG));
        assert!(report.stuck.is_empty(), "{:?}", report.stuck);
    }
}

/// One request over a connection of its own; gives status line and body.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn in_background(address: SocketAddr, path: &'static str) -> JoinHandle<(String, String)> {
    thread::spawn(move || get(address, path))
}

fn assert_answered(reply: &(String, String), body: &str) {
    assert_eq!(
        reply,
        &(String::from("HTTP/1.1 200 OK"), String::from(body))
    );
}

fn hand_offs_of(name: &str, events: &mut Events) -> usize {
    let mut count = 0;
    while let Some(event) = events.try_recv() {
        if let Event::HandedOff { name: stuck, .. } = event {
            count += usize::from(stuck.as_str() == name);
        }
    }
    count
}

#[test]
fn important_requests_are_answered_while_every_slot_is_stuck() {
    let gate = Arc::new(Gate::default());
    let service = RunningService::start(&gate);
    let _open_at_end = OpenAtEnd(Arc::clone(&gate));
    let mut events = service.scheduler.subscribe(100_000);

    let reports: Vec<_> = (0..REPORTS)
        .map(|_| in_background(service.address, "/report"))
        .collect();
    gate.wait_until_inside(REPORTS);

    for _ in 0..IMPORTANT {
        assert_answered(&get(service.address, "/important"), "important: answered\n");
    }
    assert_eq!(gate.inside(), REPORTS, "a report got past the closed gate");
    assert!(reports.iter().all(|report| !report.is_finished()));
    assert!(hand_offs_of("report", &mut events) >= 1);

    gate.open();
    for report in reports {
        assert_answered(&report.join().unwrap(), "report: done\n");
    }
    assert_answered(&get(service.address, "/important"), "important: answered\n");
    service.stop();
}
