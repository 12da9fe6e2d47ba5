//! A report as a hurried colleague would write it: it waits for a slow disk with
//! the thread, then computes a checksum, all inside one poll.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread;
use std::time::Duration;

/// How long the "disk" takes.
const SLOW_READ: Duration = Duration::from_millis(40);

/// Rows of the table that the report is about; about 10 ms of hashing.
const ROWS: u64 = 400_000;

/// Blocks the calling thread for about 50 ms.
pub fn write() -> String {
    thread::sleep(SLOW_READ);
    format!("report: {ROWS} rows, checksum {:016x}\n", checksum(ROWS))
}

fn checksum(rows: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    for row in 0..rows {
        row.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn the_checksum_depends_on_every_row() {
        assert_eq!(checksum(1_000), checksum(1_000));
        assert_ne!(checksum(1_000), checksum(999));
    }
}
