//! What nodes give and use: outputs, known by their types before there are values.

use super::{arena::Place, state::State};
use std::{fmt, ops::Deref, sync::Arc};

/// The output of a node, known by its type before there is a value.
///
/// Given to another node by reference (`&output`) it is shared: the node gets `&T`, or
/// [`Shared<T>`] if it is async. Given by value it is taken: the node gets the `T`, and
/// no other node may use it.
pub struct Output<T> {
    pub(super) graph: u64,
    pub(super) place: Place<T>,
}

impl<T> fmt::Debug for Output<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Output").field(&self.place.node()).finish()
    }
}

impl<T> Output<T> {
    /// This output if there is one when the node runs that uses it: of a node that is
    /// [run anyway](super::NodeBuilder::run_anyway), or that may be skipped.
    pub fn maybe(&self) -> Maybe<'_, T> {
        Maybe(self)
    }
}

/// An output that may be missing, from [`Output::maybe`]. A closure is given
/// `Option<&T>`, a future `Option<Shared<T>>`.
#[derive(Debug, Clone, Copy)]
pub struct Maybe<'o, T>(&'o Output<T>);

/// A value of a run that others may read too.
pub struct Shared<T> {
    state: Arc<State>,
    place: Place<T>,
}

impl<T> Shared<T> {
    fn new(state: &Arc<State>, place: Place<T>) -> Self {
        let state = Arc::clone(state);
        Self { state, place }
    }
}

impl<T: Send + Sync + 'static> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.state.read(self.place)
    }
}

impl<T: fmt::Debug + Send + Sync + 'static> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// What a node says of one thing that it uses.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    pub(super) graph: u64,
    pub(super) node: u32,
    pub(super) how: How,
}

/// How a node uses another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It only runs after it.
    After,
    /// It reads the output, if there is one.
    Maybe,
    Read,
    Take,
}

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for &super::Output<T> {}
    impl<T> Sealed for super::Output<T> {}
    impl<T> Sealed for super::Maybe<'_, T> {}
}

/// One input of a node: an [`Output`], by reference, by value, or [maybe](Output::maybe).
pub trait Input: sealed::Sealed {
    /// What a closure is given.
    type Given<'a>;
    /// What a future is given.
    type Kept: Send + 'static;
    #[doc(hidden)]
    type Place: Copy + Send + Sync + 'static;

    #[doc(hidden)]
    fn source(&self) -> (Use, Self::Place);
    #[doc(hidden)]
    fn give(state: &State, place: Self::Place) -> Self::Given<'_>;
    #[doc(hidden)]
    fn keep(state: &Arc<State>, place: Self::Place) -> Self::Kept;
}

impl<T: Send + Sync + 'static> Input for &Output<T> {
    type Given<'a> = &'a T;
    type Kept = Shared<T>;
    type Place = Place<T>;

    fn source(&self) -> (Use, Place<T>) {
        (used(self, How::Read), self.place)
    }

    fn give(state: &State, place: Place<T>) -> &T {
        state.read(place)
    }

    fn keep(state: &Arc<State>, place: Place<T>) -> Shared<T> {
        Shared::new(state, place)
    }
}

impl<T: Send + Sync + 'static> Input for Output<T> {
    type Given<'a> = T;
    type Kept = T;
    type Place = Place<T>;

    fn source(&self) -> (Use, Place<T>) {
        (used(self, How::Take), self.place)
    }

    fn give(state: &State, place: Place<T>) -> T {
        state.take(place)
    }

    fn keep(state: &Arc<State>, place: Place<T>) -> T {
        state.take(place)
    }
}

impl<T: Send + Sync + 'static> Input for Maybe<'_, T> {
    type Given<'a> = Option<&'a T>;
    type Kept = Option<Shared<T>>;
    type Place = Place<T>;

    fn source(&self) -> (Use, Place<T>) {
        (used(self.0, How::Maybe), self.0.place)
    }

    fn give(state: &State, place: Place<T>) -> Option<&T> {
        state.get(place)
    }

    fn keep(state: &Arc<State>, place: Place<T>) -> Option<Shared<T>> {
        state.get(place).map(|_| Shared::new(state, place))
    }
}

pub(super) fn used<T>(output: &Output<T>, how: How) -> Use {
    Use {
        graph: output.graph,
        node: output.place.node(),
        how,
    }
}

/// All inputs of a node: nothing, one [`Input`], or a tuple of up to eight.
pub trait Inputs {
    /// What a closure is given.
    type Given<'a>;
    /// What a future is given.
    type Kept: Send + 'static;
    #[doc(hidden)]
    type Places: Copy + Send + Sync + 'static;

    #[doc(hidden)]
    fn sources(&self, uses: &mut dyn FnMut(Use)) -> Self::Places;
    #[doc(hidden)]
    fn give(state: &State, places: Self::Places) -> Self::Given<'_>;
    #[doc(hidden)]
    fn keep(state: &Arc<State>, places: Self::Places) -> Self::Kept;
}

impl<I: Input> Inputs for I {
    type Given<'a> = I::Given<'a>;
    type Kept = I::Kept;
    type Places = I::Place;

    fn sources(&self, uses: &mut dyn FnMut(Use)) -> I::Place {
        let (source, place) = self.source();
        uses(source);
        place
    }

    fn give(state: &State, place: I::Place) -> I::Given<'_> {
        I::give(state, place)
    }

    fn keep(state: &Arc<State>, place: I::Place) -> I::Kept {
        I::keep(state, place)
    }
}

macro_rules! tuples {
    ($(($($part:ident),*))*) => {$(
        #[allow(non_snake_case, clippy::unused_unit, unused_variables, reason = "one rule for all sizes")]
        impl<$($part: Input),*> Inputs for ($($part,)*) {
            type Given<'a> = ($($part::Given<'a>,)*);
            type Kept = ($($part::Kept,)*);
            type Places = ($($part::Place,)*);

            fn sources(&self, uses: &mut dyn FnMut(Use)) -> Self::Places {
                let ($($part,)*) = self;
                ($($part.sources(uses),)*)
            }

            fn give(state: &State, places: Self::Places) -> Self::Given<'_> {
                let ($($part,)*) = places;
                ($(<$part as Input>::give(state, $part),)*)
            }

            fn keep(state: &Arc<State>, places: Self::Places) -> Self::Kept {
                let ($($part,)*) = places;
                ($(<$part as Input>::keep(state, $part),)*)
            }
        }
    )*};
}

tuples! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}
