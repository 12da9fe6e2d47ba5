//! What a task is called: by the machine ([`TaskId`]) and by people
//! ([`TaskName`]).

use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
    num::NonZeroU64,
    panic::Location,
    sync::Arc,
};

/// Names one task of this process, for as long as the process lives.
///
/// Ids are never used again: a place in the table of tasks has a generation
/// that grows each time the place is given to another task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroU64);

impl TaskId {
    /// Generations begin at 1, so that no id is zero.
    pub(crate) fn new(index: u32, generation: u32) -> Self {
        let raw = (u64::from(generation) << 32) | u64::from(index);
        Self(NonZeroU64::new(raw).expect("generations begin at 1"))
    }

    pub(crate) fn from_raw(raw: u64) -> Option<Self> {
        NonZeroU64::new(raw).map(Self)
    }

    pub(crate) fn raw(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn index(self) -> u32 {
        self.0.get() as u32
    }

    pub(crate) fn generation(self) -> u32 {
        (self.0.get() >> 32) as u32
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index(), self.generation())
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

/// What a task is called, and the class that it belongs to: the name it was
/// given, or the place in the source that spawned it.
///
/// ```
/// use adaptive_task_scheduler::TaskName;
/// let name: TaskName = "load prices".into();
/// assert_eq!(name.to_string(), "load prices");
/// ```
#[derive(Clone)]
pub struct TaskName(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Owned(Arc<str>),
    Site(&'static Location<'static>),
}

impl TaskName {
    pub(crate) fn of_site(site: &'static Location<'static>) -> Self {
        Self(Repr::Site(site))
    }

    /// The name as text; a call site reads `file:line:column`.
    pub fn as_str(&self) -> Cow<'_, str> {
        match &self.0 {
            Repr::Static(name) => Cow::Borrowed(name),
            Repr::Owned(name) => Cow::Borrowed(name),
            Repr::Site(site) => Cow::Owned(site.to_string()),
        }
    }
}

/// A name as a cheap key: call sites are compared and hashed by address. So a
/// name may have several keys; who puts them together compares the names.
#[derive(Debug, Clone)]
pub(crate) struct NameKey(pub(crate) TaskName);

impl NameKey {
    fn parts(&self) -> (Option<&str>, Option<*const Location<'static>>) {
        match &self.0.0 {
            Repr::Static(name) => (Some(name), None),
            Repr::Owned(name) => (Some(name), None),
            Repr::Site(site) => (None, Some(std::ptr::from_ref(*site))),
        }
    }
}

impl PartialEq for NameKey {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for NameKey {}

impl Hash for NameKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// Names are equal if they read the same, however they were made.
impl PartialEq for TaskName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for TaskName {}

impl Hash for TaskName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.as_str())
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_str(), f)
    }
}

impl From<&'static str> for TaskName {
    fn from(name: &'static str) -> Self {
        Self(Repr::Static(name))
    }
}

impl From<String> for TaskName {
    fn from(name: String) -> Self {
        Self(Repr::Owned(name.into()))
    }
}

impl From<Arc<str>> for TaskName {
    fn from(name: Arc<str>) -> Self {
        Self(Repr::Owned(name))
    }
}

impl PartialEq<str> for TaskName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for TaskName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}
