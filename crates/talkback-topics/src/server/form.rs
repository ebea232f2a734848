//! What a publication is sent as.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use talkback::{Message, Prepared};

use crate::position::Position;

/// How many forms of a publication are kept.
const KEPT_MAX: usize = 4;

/// What a form is made of: a message as it was published, with its topic and position.
#[derive(Clone, Copy)]
pub struct Publication<'a> {
    pub(crate) topic: &'a str,
    pub(crate) position: Position,
    pub(crate) message: &'a Message,
}

impl<'a> Publication<'a> {
    /// The topic's name.
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What was published.
    pub fn message(&self) -> &'a Message {
        self.message
    }
}

/// Shows the size of the message, and nothing of it.
impl fmt::Debug for Publication<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication")
            .field("topic", &self.topic)
            .field("position", &self.position)
            .field("message", &self.message)
            .finish()
    }
}

type Make = dyn Fn(&Publication<'_>) -> Message + Send + Sync;

/// What publications are sent as, where the message alone is not enough: a client that is to go on from a position needs it in
/// what it gets.
///
/// It is made of a publication once, when the first subscriber with this form gets that one, and shared by all who have it, which
/// have clones of one `Form`. So it cannot hold what is of one subscriber, such as the id of its subscription. If it panics, it does so
/// in the task of the subscriber, and is called anew by the next one. Up to 4 forms of each publication are kept; further ones
/// are made for each subscriber.
///
/// ```
/// use talkback_topics::{Form, Subscriber};
///
/// let with_position = Form::new(|publication| {
///     let text = publication.message().as_text().unwrap_or_default();
///     format!("{} {text}", publication.position()).into()
/// });
/// let subscriber = Subscriber::new().form(&with_position);
/// ```
#[derive(Clone)]
pub struct Form(Arc<Inner>);

struct Inner {
    id: usize,
    make: Box<Make>,
}

impl Form {
    /// A form that a function makes.
    pub fn new(make: impl Fn(&Publication<'_>) -> Message + Send + Sync + 'static) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(Arc::new(Inner {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            make: Box::new(make),
        }))
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

/// The forms that were made of one publication: each with the number of its form.
#[derive(Default)]
pub(crate) struct Made(OnceLock<Box<[Kept; KEPT_MAX]>>);

type Kept = OnceLock<(usize, Prepared)>;

impl Made {
    /// What a form makes of a publication: a message that the others have, too, if it is one of the first.
    pub(crate) fn with<T>(
        &self,
        form: &Form,
        publication: &Publication<'_>,
        then: impl FnOnce(&Prepared) -> T,
    ) -> T {
        let make = || Prepared::new((form.0.make)(publication));
        for kept in self.0.get_or_init(Box::default).iter() {
            let (id, prepared) = kept.get_or_init(|| (form.0.id, make()));
            if *id == form.0.id {
                return then(prepared);
            }
        }
        then(&make())
    }
}
