//! The values of one run, in one allocation that is used again by the next.
//!
//! It owns: for each node a place for its output, and whether a value is there.
//!
//! Rules:
//!
//! - **R1, type**: a place is reached by a [`Place<T>`] alone. One is made only where a
//!   node with an output of type `T` is declared, for that node, and it is used only
//!   with the arena of a plan of that graph: by works, which are kept in that plan, and by
//!   `Output`s, whose graph is compared first.
//! - **R2, writing**: a place is written while its state is `WRITING`, which one thread
//!   at a time can make of `EMPTY`, and which ends with `PRESENT` (Release).
//! - **R3, reading**: a shared place, once `PRESENT` (Acquire; it pairs with the Release
//!   of R2), is never written again before [`Arena::clear`], which needs the arena
//!   exclusively. So references into it last as long as a shared borrow of the arena.
//! - **R4, taking**: of a place that is taken no reference is ever given; its value is moved
//!   out by who makes `EMPTY` of `PRESENT`, which one thread can.
//!
//! Whether a place is shared or taken is fixed by the plan.

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    fmt,
    marker::PhantomData,
    mem::needs_drop,
    ptr::NonNull,
    sync::atomic::{
        AtomicU8,
        Ordering::{Acquire, Relaxed, Release},
    },
};

const EMPTY: u8 = 0;
const WRITING: u8 = 1;
const PRESENT: u8 = 2;

/// The place of a node whose output is a `T` (R1). Invariant: a value is put through it as
/// well as read, so another `T` must not stand for this one, not even a more general one.
///
/// ```compile_fail,E0308
/// use adaptive_task_scheduler::graph::{Graph, Output};
/// let mut graph = Graph::new();
/// let general: Output<for<'a> fn(&'a str)> = graph.input("f");
/// let narrow: &Output<fn(&'static str)> = &general;
/// ```
pub struct Place<T> {
    node: u32,
    value: PhantomData<fn(T) -> T>,
}

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Place<T> {}

impl<T> fmt::Debug for Place<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.node).finish()
    }
}

impl<T> Place<T> {
    pub(super) fn node(self) -> u32 {
        self.node
    }
}

type DropValue = unsafe fn(*mut u8);

/// How the places of a graph's nodes lie in an arena. Places are only added, in the
/// order of the nodes.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where each place begins, in units of [`UNIT`].
    begins: Vec<u32>,
    end: usize,
    align: usize,
    /// Values that need to be dropped.
    drops: Vec<(u32, DropValue)>,
    /// Nodes whose outputs are taken by value.
    taken: Box<[u64]>,
}

/// Small, so that small values lie close; large, so that 32 GiB can be addressed.
const UNIT: usize = 8;

impl Places {
    /// The place of the next node.
    ///
    /// # Panics
    ///
    /// If all outputs together need more than 32 GiB, or there are more than 2^32 nodes.
    pub(super) fn add<T: Send + Sync + 'static>(&mut self) -> Place<T> {
        let node = u32::try_from(self.begins.len()).expect("at most 2^32 nodes");
        let layout = Layout::new::<T>();
        let begin = self.end.next_multiple_of(layout.align().max(UNIT));
        let unit = u32::try_from(begin / UNIT).expect("outputs of at most 32 GiB together");
        self.begins.push(if layout.size() == 0 { 0 } else { unit });
        if layout.size() > 0 {
            self.end = begin + layout.size();
        }
        self.align = self.align.max(layout.align()).max(UNIT);
        if needs_drop::<T>() {
            self.drops.push((node, drop_value::<T>));
        }
        Place {
            node,
            value: PhantomData,
        }
    }

    /// Says of each node whether its output is taken.
    pub(super) fn set_taken(&mut self, taken: impl Iterator<Item = u32>) {
        let mut bits = vec![0; self.begins.len().div_ceil(64)];
        for node in taken {
            bits[node as usize / 64] |= 1 << (node % 64);
        }
        self.taken = bits.into();
    }

    pub(super) fn is_taken(&self, node: u32) -> bool {
        self.taken[node as usize / 64] & (1 << (node % 64)) != 0
    }

    fn layout(&self) -> Layout {
        Layout::from_size_align(self.end, self.align.max(UNIT)).expect("32 GiB are less than isize")
    }
}

/// # Safety
///
/// `at` points to a `T` that nobody else refers to, and that is not used afterwards.
unsafe fn drop_value<T>(at: *mut u8) {
    // SAFETY: the contract of this function.
    unsafe { at.cast::<T>().drop_in_place() }
}

/// The values of one run.
pub(super) struct Arena {
    memory: NonNull<u8>,
    layout: Layout,
    states: Box<[AtomicU8]>,
}

// SAFETY: all values are Send and Sync (R1: `Places::add` asks for it), and the states
// make threads take turns (R2, R3, R4).
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("bytes", &self.layout.size())
            .finish_non_exhaustive()
    }
}

impl Default for Arena {
    /// Without any places.
    fn default() -> Self {
        Self::new(&Places::default())
    }
}

impl Arena {
    pub(super) fn new(places: &Places) -> Self {
        let layout = places.layout();
        let memory = if layout.size() == 0 {
            // SAFETY: of an alignment, which is never zero.
            unsafe { NonNull::new_unchecked(std::ptr::without_provenance_mut(layout.align())) }
        } else {
            // SAFETY: its size is not zero.
            let memory = unsafe { alloc(layout) };
            NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
        };
        let nodes = places.begins.len();
        Self {
            memory,
            layout,
            states: (0..nodes).map(|_| AtomicU8::new(EMPTY)).collect(),
        }
    }

    fn at<T>(&self, places: &Places, place: Place<T>) -> *mut T {
        let begin = places.begins[place.node as usize] as usize * UNIT;
        if size_of::<T>() == 0 {
            return NonNull::dangling().as_ptr();
        }
        // SAFETY: within the allocation, whose layout is that of these places.
        unsafe { self.memory.as_ptr().add(begin).cast() }
    }

    /// Puts a value, if there is none and nobody else is putting one.
    pub(super) fn put<T>(&self, places: &Places, place: Place<T>, value: T) {
        let state = &self.states[place.node as usize];
        if size_of::<T>() == 0 && !needs_drop::<T>() {
            // There is nothing to write and nothing to drop.
            state.store(PRESENT, Release);
            return;
        }
        let claimed = state.compare_exchange(EMPTY, WRITING, Acquire, Relaxed);
        if claimed.is_err() {
            return;
        }
        // SAFETY: R1: the place is a `T`'s; R2: nobody else writes or reads it now.
        unsafe { self.at(places, place).write(value) };
        state.store(PRESENT, Release);
    }

    pub(super) fn has(&self, node: u32) -> bool {
        self.states[node as usize].load(Acquire) == PRESENT
    }

    /// The value of a place that is shared; `None` if there is none yet, or it is taken.
    pub(super) fn get<T>(&self, places: &Places, place: Place<T>) -> Option<&T> {
        if places.is_taken(place.node) || !self.has(place.node) {
            return None;
        }
        // SAFETY: R1 and R3.
        Some(unsafe { &*self.at(places, place) })
    }

    /// The value of a place that is taken, once.
    pub(super) fn take<T>(&self, places: &Places, place: Place<T>) -> Option<T> {
        if !places.is_taken(place.node) {
            return None;
        }
        let state = &self.states[place.node as usize];
        state
            .compare_exchange(PRESENT, WRITING, Acquire, Relaxed)
            .ok()?;
        // SAFETY: R1 and R4.
        let value = unsafe { self.at(places, place).read() };
        state.store(EMPTY, Release);
        Some(value)
    }

    /// The value of any place, whether shared or not, since nobody else has the arena.
    pub(super) fn take_mut<T>(&mut self, places: &Places, place: Place<T>) -> Option<T> {
        let state = self.states[place.node as usize].get_mut();
        if *state != PRESENT {
            return None;
        }
        *state = EMPTY;
        // SAFETY: R1; no references are left, since this borrow is exclusive.
        Some(unsafe { self.at(places, place).read() })
    }

    /// Drops all values.
    pub(super) fn clear(&mut self, places: &Places) {
        for &(node, drop) in &places.drops {
            let state = self.states[node as usize].get_mut();
            if std::mem::replace(state, EMPTY) != PRESENT {
                continue;
            }
            let begin = places.begins[node as usize] as usize * UNIT;
            let value = self.memory.as_ptr().wrapping_add(begin);
            // SAFETY: R1: `drop` is that of the node's type, whose value is there; no
            // references are left, since this borrow is exclusive. A zero-sized value
            // needs a pointer that is aligned, and the memory begins with the largest
            // alignment.
            crate::quietly::quietly(|| unsafe { drop(value) });
        }
        self.states
            .iter_mut()
            .for_each(|state| *state.get_mut() = EMPTY);
    }
}

impl Drop for Arena {
    /// Frees the memory. The values are dropped by [`Arena::clear`].
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.memory.as_ptr(), self.layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[repr(align(64))]
    struct Wide(u8);

    #[test]
    fn values_of_all_sizes_lie_beside_each_other() {
        let mut places = Places::default();
        let small = places.add::<u8>();
        let wide = places.add::<Wide>();
        let nothing = places.add::<()>();
        let text = places.add::<String>();
        let taken = places.add::<Vec<u32>>();
        places.set_taken([taken.node()].into_iter());
        let mut arena = Arena::new(&places);
        for round in 0..3u8 {
            assert!(arena.get(&places, text).is_none());
            arena.put(&places, small, round);
            arena.put(&places, small, 99);
            arena.put(&places, wide, Wide(round + 1));
            arena.put(&places, nothing, ());
            arena.put(&places, text, format!("round {round}"));
            arena.put(&places, taken, vec![u32::from(round); 3]);
            assert_eq!(arena.get(&places, small), Some(&round));
            let wide = arena.get(&places, wide).unwrap();
            assert_eq!(wide.0, round + 1);
            assert_eq!(std::ptr::from_ref(wide).addr() % 64, 0);
            assert_eq!(arena.get(&places, nothing), Some(&()));
            assert_eq!(*arena.get(&places, text).unwrap(), format!("round {round}"));
            assert!(arena.get(&places, taken).is_none());
            assert_eq!(arena.take(&places, small), None);
            assert_eq!(arena.take(&places, taken), Some(vec![u32::from(round); 3]));
            assert_eq!(arena.take(&places, taken), None);
            if round == 1 {
                let text = arena.take_mut(&places, text).unwrap();
                assert_eq!(text, "round 1");
            }
            arena.clear(&places);
        }
    }

    #[test]
    fn each_value_is_dropped_once() {
        let (kept, left) = (Arc::new(()), Arc::new(()));
        let mut places = Places::default();
        let (a, b) = (places.add::<Arc<()>>(), places.add::<Arc<()>>());
        places.set_taken([b.node()].into_iter());
        let mut arena = Arena::new(&places);
        arena.put(&places, a, Arc::clone(&left));
        arena.put(&places, a, Arc::clone(&left));
        arena.put(&places, b, Arc::clone(&kept));
        let taken = arena.take(&places, b);
        arena.clear(&places);
        assert_eq!((Arc::strong_count(&left), Arc::strong_count(&kept)), (1, 2));
        drop(taken);
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
