//! Who is to send, and the node through which the receiver's task lends to it.
//!
//! It owns: the task that promised, and while the receiver's task waits, the node
//! with the edges `receiver -> node -> promised`. [`super::slot`] keeps it under its
//! lock, and has events put off meanwhile, since edges change under it.
//!
//! A circle counts only through a declared promise. Of a task that was only seen
//! at the sender it is not certain that no other will send.

use super::{ground, line::Circle};
use crate::{
    task::id::{TaskId, TaskName},
    waits::node::NodeKind,
};

#[derive(Debug, Default)]
pub(crate) struct Promise {
    promised: Option<Promised>,
    wait: Option<Wait>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promised {
    pub(crate) task: TaskId,
    /// It was said that it will send, and not only seen that it has the sender.
    pub(crate) is_declared: bool,
}

#[derive(Debug)]
struct Wait {
    task: TaskId,
    node: TaskId,
    /// The task to which the node lends.
    lends_to: Option<TaskId>,
    /// There is a promise that it has not looked at.
    begins_anew: bool,
}

impl Promise {
    /// A promise, which moves the edge of a wait that there is. What was declared is
    /// worth more than what was seen. Whether the receiver has to be polled: only a
    /// wait that begins looks for circles.
    pub(super) fn set(&mut self, promised: Promised) -> bool {
        let is_news = match self.promised {
            Some(before) => before != promised && (promised.is_declared || !before.is_declared),
            None => true,
        };
        if !is_news {
            return false;
        }
        self.promised = Some(promised);
        let Some(wait) = &mut self.wait else {
            return false;
        };
        wait.lend_to(promised);
        wait.begins_anew |= promised.is_declared;
        promised.is_declared
    }

    /// The receiver, polled by that task, waits. `Err` if it would close a circle.
    pub(super) fn wait(&mut self, task: Option<TaskId>, name: &TaskName) -> Result<(), Circle> {
        if let Some(wait) = &self.wait {
            if Some(wait.task) == task && !wait.begins_anew {
                return Ok(());
            }
            self.end_wait();
        }
        let Some(task) = task else { return Ok(()) };
        let Some(node) = ground::open_node(task, name, NodeKind::Channel) else {
            return Ok(());
        };
        let mut wait = Wait {
            task,
            node,
            lends_to: None,
            begins_anew: false,
        };
        match self.promised {
            Some(promised) => wait.lend_to(promised),
            None => ground::set_any_is_enough(node, true),
        }
        match ground::begin_wait(task, node) {
            Ok(true) => self.wait = Some(wait),
            Ok(false) => ground::close_node(node),
            Err(circle) => {
                ground::close_node(node);
                return Err(circle);
            }
        }
        Ok(())
    }

    /// The sender has sent, or is gone.
    pub(super) fn keep(&mut self) {
        let by = ground::task().or(self.promised.map(|promised| promised.task));
        if let (Some(wait), Some(by)) = (&self.wait, by) {
            ground::note_member(wait.task, wait.node, by);
        }
        self.end_wait();
    }

    /// The receiver waits no more.
    pub(super) fn end_wait(&mut self) {
        if let Some(wait) = self.wait.take() {
            ground::end_wait(wait.task, wait.node);
            ground::close_node(wait.node);
        }
    }
}

impl Wait {
    /// Has the node lend to the task.
    fn lend_to(&mut self, promised: Promised) {
        if self.lends_to != Some(promised.task) {
            if let Some(before) = self.lends_to.replace(promised.task) {
                ground::end_wait(self.node, before);
            }
            ground::pass_on(self.node, promised.task);
        }
        ground::set_any_is_enough(self.node, !promised.is_declared);
    }
}
