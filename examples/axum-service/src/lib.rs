//! An axum service with two kinds of requests on one runtime: important ones,
//! which only do a little async work, and reports, whose handler is badly
//! written and blocks its worker inside a poll.
//!
//! axum's own tasks (accepting, reading, writing) stay plain Tokio tasks. Only
//! what a handler does goes to the scheduler, with a priority for each route.
//! A connection is deliberately not a task of the scheduler: it would wait on
//! its report and lend the report its own priority.

#![forbid(unsafe_code)]

pub mod report;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use adaptive_task_scheduler::{Priority, Scheduler, TaskError};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

/// How a report is made. It blocks the thread that calls it.
pub type WriteReport = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct Service {
    scheduler: Scheduler,
    write_report: WriteReport,
}

/// The routes, with the real report.
pub fn app(scheduler: Scheduler) -> Router {
    app_with(scheduler, Arc::new(report::write))
}

/// The routes, with a report of the caller's choice.
pub fn app_with(scheduler: Scheduler, write_report: WriteReport) -> Router {
    Router::new()
        .route("/important", get(important))
        .route("/report", get(report))
        .route("/stats", get(stats))
        .with_state(Service {
            scheduler,
            write_report,
        })
}

/// Serves `app` until `stop` is ready and the open requests are answered.
///
/// # Errors
///
/// Fails when the listener does.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await
}

type Reply = Result<String, (StatusCode, String)>;

/// A few async steps, as a lookup in a cache or a database would be.
async fn important(State(service): State<Service>) -> Reply {
    let work = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        adaptive_task_scheduler::yield_now().await;
        String::from("important: answered\n")
    };
    answer(&service.scheduler, "important", Priority::Production, work).await
}

/// Nothing here tells the scheduler that this future blocks: it finds out.
async fn report(State(service): State<Service>) -> Reply {
    let write_report = service.write_report;
    let work = async move { write_report() };
    answer(&service.scheduler, "report", Priority::Batch, work).await
}

/// What the scheduler has done so far, one number a line.
async fn stats(State(service): State<Service>) -> String {
    let stats = service.scheduler.stats();
    let lines = [
        ("spawned", stats.spawned),
        ("finished", stats.finished),
        ("live", stats.live),
        ("boosts", stats.boosts),
        ("relocations", stats.relocations),
        ("hand_offs", stats.hand_offs),
        ("take_backs", stats.take_backs),
    ];
    lines
        .map(|(name, value)| format!("{name} {value}\n"))
        .concat()
}

/// Runs a handler's work as a task. The task ends with its request: a client
/// that hangs up drops the handler, and with it the handle.
async fn answer(
    scheduler: &Scheduler,
    name: &'static str,
    priority: Priority,
    work: impl Future<Output = String> + Send + 'static,
) -> Reply {
    let task = scheduler
        .task()
        .name(name)
        .priority(priority)
        .cancel_on_drop(true)
        .spawn(work);
    task.await.map_err(refusal)
}

fn refusal(error: TaskError) -> (StatusCode, String) {
    let status = if error.is_rejected() || error.is_shutdown() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    (status, format!("{error}\n"))
}
