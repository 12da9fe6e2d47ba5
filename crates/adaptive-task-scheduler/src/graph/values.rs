//! The values of one run: a place for the output of each node, which others read or
//! one takes.

use crate::primitives::Mutex;
use std::{
    any::Any,
    fmt,
    marker::PhantomData,
    ops::Deref,
    sync::{Arc, OnceLock},
};

/// The output of a node, known by its type before there is a value.
///
/// Given to another node by reference (`&output`) it is shared: the node gets `&T`, or
/// [`Shared<T>`] if it is async. Given by value it is taken: the node gets the `T`, and
/// no other node may use it.
pub struct Output<T> {
    pub(super) graph: u64,
    pub(super) node: u32,
    pub(super) value: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Output<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Output").field(&self.node).finish()
    }
}

/// A value of a run that others may read too.
pub struct Shared<T> {
    values: Arc<Values>,
    node: u32,
    value: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.values.read(self.node)
    }
}

impl<T: fmt::Debug + Send + Sync + 'static> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

enum Place<T> {
    Shared(OnceLock<T>),
    Taken(Mutex<Option<T>>),
}

pub(super) type AnyPlace = Box<dyn Any + Send + Sync>;

/// An empty place for a `T`, which one node takes, or all may read.
pub(super) fn place<T: Send + Sync + 'static>(is_taken: bool) -> AnyPlace {
    Box::new(if is_taken {
        Place::<T>::Taken(Mutex::new(None))
    } else {
        Place::Shared(OnceLock::new())
    })
}

/// The places of all nodes.
pub struct Values(pub(super) Box<[AnyPlace]>);

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Values").field(&self.0.len()).finish()
    }
}

impl Values {
    fn place<T: 'static>(&self, node: u32) -> Option<&Place<T>> {
        self.0.get(node as usize)?.downcast_ref()
    }

    /// The value of a node that has ended well, which this one was declared to read.
    fn read<T: 'static>(&self, node: u32) -> &T {
        self.get(node).expect("it runs after the value is there")
    }

    fn take<T: 'static>(&self, node: u32) -> T {
        let place = match self.place(node) {
            Some(Place::Taken(value)) => value.lock().take(),
            _ => None,
        };
        place.expect("only this one takes it, after it is there")
    }

    /// The value that can be read still; `None` if there is none, or it is to be taken.
    pub(super) fn get<T: 'static>(&self, node: u32) -> Option<&T> {
        match self.place(node)? {
            Place::Shared(value) => value.get(),
            Place::Taken(_) => None,
        }
    }

    /// The value of a node, once.
    pub(super) fn put<T: 'static>(&self, node: u32, value: T) {
        match self.place(node) {
            Some(Place::Shared(place)) => drop(place.set(value)),
            Some(Place::Taken(place)) => *place.lock() = Some(value),
            None => {}
        }
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
    Read,
    Take,
}

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for &super::Output<T> {}
    impl<T> Sealed for super::Output<T> {}
}

/// One input of a node: an [`Output`], by reference or by value.
pub trait Input: sealed::Sealed {
    /// What a closure is given.
    type Given<'a>;
    /// What a future is given.
    type Kept: Send + 'static;

    #[doc(hidden)]
    fn source(&self) -> Use;
    #[doc(hidden)]
    fn give(values: &Values, node: u32) -> Self::Given<'_>;
    #[doc(hidden)]
    fn keep(values: &Arc<Values>, node: u32) -> Self::Kept;
}

impl<T: Send + Sync + 'static> Input for &Output<T> {
    type Given<'a> = &'a T;
    type Kept = Shared<T>;

    fn source(&self) -> Use {
        Use {
            graph: self.graph,
            node: self.node,
            how: How::Read,
        }
    }

    fn give(values: &Values, node: u32) -> &T {
        values.read(node)
    }

    fn keep(values: &Arc<Values>, node: u32) -> Shared<T> {
        Shared {
            values: Arc::clone(values),
            node,
            value: PhantomData,
        }
    }
}

impl<T: Send + Sync + 'static> Input for Output<T> {
    type Given<'a> = T;
    type Kept = T;

    fn source(&self) -> Use {
        Use {
            graph: self.graph,
            node: self.node,
            how: How::Take,
        }
    }

    fn give(values: &Values, node: u32) -> T {
        values.take(node)
    }

    fn keep(values: &Arc<Values>, node: u32) -> T {
        values.take(node)
    }
}

/// All inputs of a node: nothing, one [`Input`], or a tuple of up to eight.
pub trait Inputs {
    /// What a closure is given.
    type Given<'a>;
    /// What a future is given.
    type Kept: Send + 'static;
    #[doc(hidden)]
    type Nodes: Copy + Send + Sync + 'static;

    #[doc(hidden)]
    fn uses(&self, uses: &mut Vec<Use>) -> Self::Nodes;
    #[doc(hidden)]
    fn give(values: &Values, nodes: Self::Nodes) -> Self::Given<'_>;
    #[doc(hidden)]
    fn keep(values: &Arc<Values>, nodes: Self::Nodes) -> Self::Kept;
}

impl<I: Input> Inputs for I {
    type Given<'a> = I::Given<'a>;
    type Kept = I::Kept;
    type Nodes = u32;

    fn uses(&self, uses: &mut Vec<Use>) -> u32 {
        let source = self.source();
        uses.push(source);
        source.node
    }

    fn give(values: &Values, node: u32) -> I::Given<'_> {
        I::give(values, node)
    }

    fn keep(values: &Arc<Values>, node: u32) -> I::Kept {
        I::keep(values, node)
    }
}

macro_rules! node_of {
    ($part:ident) => {
        u32
    };
}

macro_rules! tuples {
    ($(($($part:ident),*))*) => {$(
        #[allow(non_snake_case, clippy::unused_unit, unused_variables, reason = "one rule for all sizes")]
        impl<$($part: Input),*> Inputs for ($($part,)*) {
            type Given<'a> = ($($part::Given<'a>,)*);
            type Kept = ($($part::Kept,)*);
            type Nodes = ($(node_of!($part),)*);

            fn uses(&self, uses: &mut Vec<Use>) -> Self::Nodes {
                let ($($part,)*) = self;
                $(uses.push($part.source());)*
                ($($part.source().node,)*)
            }

            fn give(values: &Values, nodes: Self::Nodes) -> Self::Given<'_> {
                let ($($part,)*) = nodes;
                ($(<$part as Input>::give(values, $part),)*)
            }

            fn keep(values: &Arc<Values>, nodes: Self::Nodes) -> Self::Kept {
                let ($($part,)*) = nodes;
                ($(<$part as Input>::keep(values, $part),)*)
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
