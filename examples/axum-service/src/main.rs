//! `cargo run --release -p axum-example [ADDRESS]`

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::time::Duration;

use adaptive_task_scheduler::Scheduler;
use tokio::net::TcpListener;

const ADDRESS: &str = "127.0.0.1:3000";

const HINTS: &str = "\
Keep every slot busy with reports, each of which blocks inside a poll:

    for i in $(seq 64); do curl -s ADDRESS/report & done

and meanwhile, from another terminal:

    curl -w '%{time_total} s\\n' ADDRESS/important
    curl ADDRESS/stats

Ctrl-C stops the service.";

/// How long open requests may take after Ctrl-C.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| ADDRESS.to_owned());
    // A runtime of the scheduler's own has one worker more than slots, so that
    // connections are served even while every slot is stuck.
    let scheduler = Scheduler::builder().build_runtime()?;
    scheduler.block_on(async {
        let listener = TcpListener::bind(&address).await?;
        let address = listener.local_addr()?;
        println!("listening on http://{address}\n");
        println!("{}", HINTS.replace("ADDRESS", &address.to_string()));
        axum_example::serve(
            listener,
            axum_example::app(scheduler.clone()),
            interrupted(),
        )
        .await?;
        scheduler.shutdown(SHUTDOWN_LIMIT).await;
        Ok(())
    })
}

/// Ready when Ctrl-C is pressed. Without a handler for it, the signal would end
/// the process at once, which is no worse.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
