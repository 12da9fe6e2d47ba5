//! Two pushers and two takers at a ring of four: nothing is lost, nothing is
//! taken twice, and what one pusher pushed is taken in its order.

use super::model;
use crate::queue::ring::Ring;
use loom::thread;
use std::sync::Arc;

fn rest(ring: &Ring) -> Vec<u64> {
    std::iter::from_fn(|| ring.take()).collect()
}

#[test]
fn two_pushers_and_two_takers_lose_and_double_nothing() {
    model(|| {
        let ring = Arc::new(Ring::new());
        let push = |entry: u64| {
            let ring = Arc::clone(&ring);
            thread::spawn(move || ring.push(entry).expect("there is room"))
        };
        let pushers = [push(1), push(2)];
        let taker = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || ring.take())
        };
        let mut taken: Vec<u64> = ring.take().into_iter().collect();
        for pusher in pushers {
            pusher.join().expect("pushes");
        }
        taken.extend(taker.join().expect("takes"));
        taken.extend(rest(&ring));
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
        assert!(ring.is_empty());
    });
}

#[test]
fn a_full_ring_says_so_and_gives_what_it_took() {
    model(|| {
        let ring = Arc::new(Ring::new());
        for entry in 1..=3 {
            ring.push(entry).expect("there is room");
        }
        let pusher = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || (4..=5).filter(|&entry| ring.push(entry).is_ok()).count())
        };
        let mut taken: Vec<u64> = ring.take().into_iter().collect();
        let pushed = pusher.join().expect("pushes");
        taken.extend(rest(&ring));
        // The first of the two has room in any case.
        assert!(pushed >= 1);
        assert_eq!(taken.len(), 3 + pushed);
        assert!(taken.is_sorted(), "{taken:?}");
    });
}

#[test]
fn one_pusher_is_served_in_its_order_while_places_wrap() {
    model(|| {
        let ring = Arc::new(Ring::new());
        for entry in 1..=3 {
            ring.push(entry).expect("there is room");
            assert_eq!(ring.take(), Some(entry));
        }
        let pusher = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || assert!((1..=3).all(|entry| ring.push(entry).is_ok())))
        };
        let mut taken: Vec<u64> = (0..2).filter_map(|_| ring.take()).collect();
        pusher.join().expect("pushes");
        taken.extend(rest(&ring));
        assert_eq!(taken, [1, 2, 3]);
    });
}
