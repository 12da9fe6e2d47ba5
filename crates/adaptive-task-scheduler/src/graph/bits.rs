//! Pure: a set of small numbers that gives its least one in a few steps.
//!
//! A tree of words: a bit of a word above says that the word below it is not empty. Four
//! levels hold 16,777,216 numbers.

/// A set of numbers below a limit.
#[derive(Debug, Default, Clone)]
pub(super) struct Bits {
    /// All levels, the lowest first.
    words: Box<[u64]>,
    /// Where each level begins.
    levels: Box<[u32]>,
    len: u32,
}

impl Bits {
    /// An empty set for numbers below `limit`.
    pub(super) fn new(limit: usize) -> Self {
        let mut levels = Vec::new();
        let (mut begin, mut words) = (0, limit.div_ceil(64).max(1));
        loop {
            levels.push(begin);
            begin += words as u32;
            if words == 1 {
                break;
            }
            words = words.div_ceil(64);
        }
        Self {
            words: vec![0; begin as usize].into(),
            levels: levels.into(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) fn insert(&mut self, number: u32) {
        let word = &mut self.words[(number >> 6) as usize];
        let before = *word;
        *word |= 1 << (number & 63);
        self.len += u32::from(*word != before);
        if before == 0 {
            self.fill_above(number >> 6);
        }
    }

    /// The word at a place of the lowest level has ceased to be empty.
    fn fill_above(&mut self, mut at: u32) {
        for &begin in &self.levels[1..] {
            let word = &mut self.words[(begin + (at >> 6)) as usize];
            let before = *word;
            *word |= 1 << (at & 63);
            if before != 0 {
                return;
            }
            at >>= 6;
        }
    }

    pub(super) fn remove(&mut self, number: u32) {
        if !self.contains(number) {
            return;
        }
        self.len -= 1;
        let word = &mut self.words[(number >> 6) as usize];
        *word &= !(1 << (number & 63));
        if *word == 0 {
            self.empty_above(number >> 6);
        }
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        self.words[(number >> 6) as usize] & (1 << (number & 63)) != 0
    }

    /// The least number.
    pub(super) fn first(&self) -> Option<u32> {
        if self.len == 0 {
            return None;
        }
        let down = |at: u32, &begin: &u32| {
            let word = self.words[(begin + at) as usize];
            (at << 6) + word.trailing_zeros()
        };
        Some(self.levels.iter().rev().fold(0, down))
    }

    /// The least number, which is removed.
    pub(super) fn take_first(&mut self) -> Option<u32> {
        let first = self.first()?;
        self.remove(first);
        Some(first)
    }

    /// The least numbers, as long as they are wanted and lie in one word with the least of
    /// all; they are removed.
    #[inline]
    pub(super) fn take_from_first_word(&mut self, mut is_wanted: impl FnMut(u32) -> bool) {
        let Some(first) = self.first() else { return };
        let word = &mut self.words[(first >> 6) as usize];
        let mut left = *word;
        let mut taken = 0;
        while left != 0 && is_wanted((first & !63) + left.trailing_zeros()) {
            left &= left - 1;
            taken += 1;
        }
        *word = left;
        self.len -= taken;
        if left == 0 {
            self.empty_above(first >> 6);
        }
    }

    /// The word at a place of the lowest level has become empty.
    fn empty_above(&mut self, mut at: u32) {
        for &begin in &self.levels[1..] {
            let word = &mut self.words[(begin + (at >> 6)) as usize];
            *word &= !(1 << (at & 63));
            if *word != 0 {
                return;
            }
            at >>= 6;
        }
    }

    pub(super) fn clear(&mut self) {
        if self.len > 0 {
            self.words.fill(0);
            self.len = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_an_ordered_set(
            limit in 1..300_000u32,
            steps in prop::collection::vec((any::<u32>(), 0..7u8), 0..300),
        ) {
            let mut bits = Bits::new(limit as usize);
            let mut set = BTreeSet::new();
            for (number, step) in steps {
                let number = number % limit;
                match step {
                    0 => prop_assert_eq!(bits.take_first(), set.pop_first()),
                    4 => {
                        let (mut taken, mut expected) = (Vec::new(), Vec::new());
                        bits.take_from_first_word(|it| taken.len() < 3 && it != number && {
                            taken.push(it);
                            true
                        });
                        let first = set.first().map_or(0, |first| first / 64);
                        while expected.len() < 3
                            && let Some(&it) = set.first()
                            && it != number
                            && it / 64 == first
                        {
                            expected.push(it);
                            set.pop_first();
                        }
                        prop_assert_eq!(taken, expected);
                    }
                    1 => {
                        bits.remove(number);
                        set.remove(&number);
                    }
                    _ => {
                        bits.insert(number);
                        set.insert(number);
                    }
                }
                prop_assert_eq!(bits.first(), set.first().copied());
                prop_assert_eq!(bits.len(), set.len());
                prop_assert_eq!(bits.contains(number), set.contains(&number));
            }
            bits.clear();
            prop_assert_eq!((bits.first(), bits.len()), (None, 0));
        }
    }
}
