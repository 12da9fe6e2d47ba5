//! `ats` without a command: the scene in order, the comparison complete.

mod support;

use support::{ats, finish};

#[test]
fn the_scene_is_played_in_order_and_the_comparison_follows() {
    let run = finish(ats::<&str>(&[])).expect_code(0).expect_plain();
    let scene: Vec<&str> = run
        .stdout
        .lines()
        .take_while(|line| line.starts_with('['))
        .collect();
    assert_eq!(
        scene,
        [
            "[spawn] Task A started (depends on Task B)",
            "[spawn] Task B started",
            "[wait]  Task A still waiting on B... triggering promotion",
            "[promote] Task B moved to CPU thread",
            "[complete] Task B done",
            "[complete] Task A done",
        ],
        "{}",
        run.stdout
    );
    let rows = |engine: &str| {
        let is_row = |line: &&str| line.trim_start().starts_with(engine);
        run.stdout.lines().filter(is_row).count()
    };
    // A row and a bar in each of the two situations.
    assert_eq!(rows("plain Tokio"), 4, "{}", run.stdout);
    assert_eq!(rows("the scheduler"), 4, "{}", run.stdout);
    assert!(run.stdout.contains("What to try next:"), "{}", run.stdout);
}
