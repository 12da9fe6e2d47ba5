//! Which guards of locks may go to other threads or be shared by them: as Tokio's,
//! or fewer. The first half is checked when it is compiled.

use adaptive_task_scheduler::sync::{
    Mutex, MutexGuard, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit,
};
use std::{cell::Cell, marker::PhantomData, sync::MutexGuard as StdGuard};

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

/// `Sync` but not `Send`.
type NotSend = StdGuard<'static, ()>;
/// `Send` but not `Sync`.
type NotSync = Cell<()>;

#[test]
fn what_is_both_makes_all_both() {
    is_send::<Mutex<u8>>();
    is_sync::<Mutex<u8>>();
    is_send::<RwLock<u8>>();
    is_sync::<RwLock<u8>>();
    // Without unsafe code: only if the permits are both, on which the others rely.
    is_send::<Semaphore>();
    is_sync::<Semaphore>();
    is_send::<SemaphorePermit<'_>>();
    is_sync::<SemaphorePermit<'_>>();
    is_send::<MutexGuard<'_, u8>>();
    is_sync::<MutexGuard<'_, u8>>();
    is_send::<OwnedMutexGuard<u8>>();
    is_sync::<OwnedMutexGuard<u8>>();
    is_send::<RwLockReadGuard<'_, u8>>();
    is_sync::<RwLockReadGuard<'_, u8>>();
    is_send::<RwLockWriteGuard<'_, u8>>();
    is_sync::<RwLockWriteGuard<'_, u8>>();
    is_send::<OwnedRwLockReadGuard<u8>>();
    is_sync::<OwnedRwLockReadGuard<u8>>();
    is_send::<OwnedRwLockWriteGuard<u8>>();
    is_sync::<OwnedRwLockWriteGuard<u8>>();
    // A mutex makes a value that is only `Send` both.
    is_send::<Mutex<NotSync>>();
    is_sync::<Mutex<NotSync>>();
    is_send::<MutexGuard<'_, NotSync>>();
}

/// Says whether a type is `Send`, and whether it is `Sync`: the constants of the
/// type come before those of the trait, where their condition holds.
struct Is<T: ?Sized>(PhantomData<T>);

trait Otherwise {
    const SEND: bool = false;
    const SYNC: bool = false;
}

impl<T: ?Sized> Otherwise for Is<T> {}

impl<T: ?Sized + Send> Is<T> {
    const SEND: bool = true;
}

impl<T: ?Sized + Sync> Is<T> {
    const SYNC: bool = true;
}

macro_rules! is {
    ($type:ty) => {
        (Is::<$type>::SEND, Is::<$type>::SYNC)
    };
}

const NEITHER: (bool, bool) = (false, false);
const ONLY_SEND: (bool, bool) = (true, false);

#[test]
fn what_may_not_go_to_other_threads_makes_nothing_go() {
    assert_eq!(is!(u8), (true, true));
    assert_eq!(is!(NotSend), (false, true));
    assert_eq!(is!(Mutex<NotSend>), NEITHER);
    assert_eq!(is!(RwLock<NotSend>), NEITHER);
    assert_eq!(is!(MutexGuard<'static, NotSend>), NEITHER);
    assert_eq!(is!(OwnedMutexGuard<NotSend>), NEITHER);
    assert_eq!(is!(RwLockReadGuard<'static, NotSend>), NEITHER);
    assert_eq!(is!(RwLockWriteGuard<'static, NotSend>), NEITHER);
    assert_eq!(is!(OwnedRwLockReadGuard<NotSend>), NEITHER);
    assert_eq!(is!(OwnedRwLockWriteGuard<NotSend>), NEITHER);
}

#[test]
fn what_may_not_be_shared_is_not_shared_by_its_guards() {
    assert_eq!(is!(MutexGuard<'static, NotSync>), ONLY_SEND);
    assert_eq!(is!(OwnedMutexGuard<NotSync>), ONLY_SEND);
    assert_eq!(is!(RwLock<NotSync>), ONLY_SEND);
    assert_eq!(is!(RwLockReadGuard<'static, NotSync>), NEITHER);
    assert_eq!(is!(RwLockWriteGuard<'static, NotSync>), NEITHER);
    assert_eq!(is!(OwnedRwLockReadGuard<NotSync>), NEITHER);
    assert_eq!(is!(OwnedRwLockWriteGuard<NotSync>), NEITHER);
}
