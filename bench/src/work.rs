//! Computation of a known amount, computation of a known length, and a process
//! that does nothing else.

use std::{
    hint::black_box,
    io::Read,
    process::{ExitCode, exit},
    thread,
    time::{Duration, Instant},
};

use crate::options::SpinArguments;

/// Steps of one chunk: about 20 us on a core of 3 GHz. The exact length does not
/// matter, only that it is the same for all engines.
const CHUNK_STEPS: u64 = 10_000;

/// A fixed amount of computation.
pub(crate) fn chunk() {
    let mut state = black_box(0x9E37_79B9_7F4A_7C15_u64);
    for _ in 0..CHUNK_STEPS {
        // Xorshift, since compilers see through a linear congruence.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}

/// Computes for as long as told, and calls `done` after each chunk: less often
/// when the thread has to share its core.
pub(crate) fn chunks_for(length: Duration, mut done: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < length {
        chunk();
        done();
    }
}

/// Computes for as long as told.
pub(crate) fn spin(length: Duration) {
    let start = Instant::now();
    while start.elapsed() < length {
        std::hint::spin_loop();
    }
}

/// The helper that keeps a core busy, until its time is over or whoever started
/// it is gone.
pub(crate) fn serve_spinner(spin: &SpinArguments) -> ExitCode {
    exit_with_parent();
    chunks_for(Duration::from_secs(spin.seconds), || {});
    ExitCode::SUCCESS
}

/// Ends this process when its standard input ends, which it does when the parent
/// does, however it ended.
pub(crate) fn exit_with_parent() {
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        exit(1)
    });
}
