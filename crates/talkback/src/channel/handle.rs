//! What keeps a channel open.

use std::ops::Deref;

use crate::channel::state::Shared;
use crate::channel::sync::Arc;

/// One of the handles that keep a channel open together; when the last is dropped, it closes.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<CloseOnDrop>);

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(CloseOnDrop(shared)))
    }
}

impl Deref for Handle {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

#[derive(Debug)]
struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.lock().close(None);
    }
}
