//! Fuzzes the reader of profile files.
//!
//! The first byte chooses: the rest is the whole file, or the lines between a
//! good head and a last line that is right about them, which the checksum would
//! otherwise keep from the fuzzer. Whatever is read must be written and read
//! again as it was, and a scheduler must start from it.

#![no_main]

use std::sync::OnceLock;

use adaptive_task_scheduler::{Profiles, Scheduler};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    if choice % 4 == 0 {
        check(&text);
    } else {
        check(&framed(&text));
    }
});

fn check(text: &str) {
    let Ok(profiles) = text.parse::<Profiles>() else {
        return;
    };
    let written = profiles.to_string();
    let again: Profiles = written.parse().expect("what was written can be read");
    assert_eq!(profiles, again);
    for profile in profiles.iter() {
        let _ = (profile.poll_time(), profile.total_time());
        let _ = profile.decision().map(|decision| decision.to_string());
    }
    scheduler().restore_profiles(&profiles);
}

/// The lines as a file whose head and last line are good.
fn framed(lines: &str) -> String {
    let mut body = "adaptive-task-scheduler profiles 1\n".to_owned();
    body.push_str(lines);
    if !lines.is_empty() && !lines.ends_with('\n') {
        body.push('\n');
    }
    let classes = body.lines().count() - 1;
    let sum = body.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{body}end\t{classes}\t{sum:016x}\n")
}

fn scheduler() -> &'static Scheduler {
    static SCHEDULER: OnceLock<Scheduler> = OnceLock::new();
    SCHEDULER.get_or_init(|| {
        Scheduler::builder()
            .io_slots(1)
            .build_runtime()
            .expect("a scheduler can be built")
    })
}
