//! The queue's mask of levels against its entries (rule Q3): a level whose bit
//! was cleared while an entry came in is found all the same.

use super::{HIGH, LOW, model, model_with};
use crate::queue::ready::ReadyQueue;
use loom::thread;
use std::sync::Arc;

/// Takes all that is left, as a carrier that comes later does.
fn rest(queue: &ReadyQueue, slot: Option<usize>) -> Vec<u64> {
    std::iter::from_fn(|| queue.pick(slot, 0))
        .map(|taken| taken.entry)
        .collect()
}

/// Pushes on one thread and picks on another, then looks at what came out.
fn check(slots: usize, pushes: &'static [(u64, u8, Option<usize>)], picker: Option<usize>) {
    model(move || {
        let queue = Arc::new(ReadyQueue::new(slots));
        let pusher = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                for &(entry, level, slot) in pushes {
                    queue.push(entry, level, 0, slot);
                }
            })
        };
        let mut taken: Vec<u64> = (0..2)
            .filter_map(|_| queue.pick(picker, 0))
            .map(|taken| taken.entry)
            .collect();
        pusher.join().expect("pushes");
        taken.extend(rest(&queue, picker));
        taken.sort_unstable();
        let mut pushed: Vec<u64> = pushes.iter().map(|push| push.0).collect();
        pushed.sort_unstable();
        assert_eq!(taken, pushed);
        assert!(!queue.has_work(0));
    });
}

#[test]
fn an_entry_of_a_ring_is_not_lost_with_its_bit() {
    check(1, &[(1, LOW, Some(0)), (2, LOW, Some(0))], Some(0));
}

#[test]
fn an_entry_of_an_injector_is_not_lost_with_its_bit() {
    check(0, &[(1, LOW, None), (2, HIGH, None)], None);
}

#[test]
fn a_stolen_entry_is_not_lost_with_its_bit() {
    check(2, &[(1, LOW, Some(0)), (2, LOW, None)], Some(1));
}

#[test]
fn two_pickers_that_clear_one_bit_lose_no_entry() {
    model(|| {
        let queue = Arc::new(ReadyQueue::new(0));
        queue.push(1, LOW, 0, None);
        let picker = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.pick(None, 0).map(|taken| taken.entry))
        };
        let pusher = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push(2, LOW, 0, None))
        };
        let mut taken: Vec<u64> = queue
            .pick(None, 0)
            .map(|taken| taken.entry)
            .into_iter()
            .collect();
        taken.extend(picker.join().expect("picks"));
        pusher.join().expect("pushes");
        taken.extend(rest(&queue, None));
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
    });
}

/// One carrier comes when the bit is set and nothing is there; the other pushes
/// two entries, takes one, and so moves the other, while the first clears the
/// bit and looks at one queue after the other.
#[test]
fn entries_moved_from_an_injector_are_not_lost_with_their_bit() {
    model_with(3, || {
        let queue = Arc::new(ReadyQueue::new(2));
        queue.push(1, LOW, 0, None);
        assert_eq!(queue.pick(Some(1), 0).map(|taken| taken.entry), Some(1));
        let mover = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                queue.push(2, LOW, 0, None);
                queue.push(3, LOW, 0, None);
                queue.pick(Some(0), 0).map(|taken| taken.entry)
            })
        };
        let mut taken: Vec<u64> = queue
            .pick(Some(1), 0)
            .map(|taken| taken.entry)
            .into_iter()
            .collect();
        taken.extend(mover.join().expect("picks"));
        taken.extend(rest(&queue, Some(0)));
        taken.sort_unstable();
        assert_eq!(taken, [2, 3]);
    });
}
