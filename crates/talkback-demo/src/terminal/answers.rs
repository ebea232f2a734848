//! What was sent, what came back, and what is still to come.
//!
//! A pipe ends, and then every line must have its answer. This knows neither screen nor socket nor
//! clock.

use std::collections::VecDeque;

use talkback::{CloseInfo, Message, Text};

/// The messages of one connection, as far as the end of the input has to wait for them.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// What was sent and has not come back, oldest first.
    unechoed: VecDeque<Text>,
    /// How many of the messages sent have no answer yet, whatever the answers say.
    unanswered: usize,
    latest: Option<Message>,
    end: Option<CloseInfo>,
}

/// What a message of the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may answer one that was sent.
    Answer,
    /// Nothing was waiting for it.
    Unasked,
}

/// What is still to come for what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Everything came back.
    Nothing,
    /// There was a message for each that was sent, but not each came back as it was: this is no
    /// echo server, or it sent some messages of its own and has more to say.
    Perhaps,
    /// So many answers.
    Answers(usize),
}

impl Answers {
    /// Takes what a person has entered; gives the message to send, if there is something to send.
    pub(crate) fn submit(&mut self, entered: String) -> Option<Message> {
        if entered.is_empty() || self.end.is_some() {
            return None;
        }
        let text = Text::from(entered);
        self.unechoed.push_back(text.clone());
        self.unanswered += 1;
        Some(Message::Text(text))
    }

    /// Takes what the stream brings.
    pub(crate) fn handle_message(&mut self, message: Message) -> Kind {
        // A server that echoes does so in order, so that only the oldest can be what came back.
        let is_echo = match (&message, self.unechoed.front()) {
            (Message::Text(text), Some(oldest)) => text == oldest,
            _ => false,
        };
        let kind = match is_echo || self.unanswered > 0 {
            true => Kind::Answer,
            false => Kind::Unasked,
        };
        if is_echo {
            self.unechoed.pop_front();
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        self.latest = Some(message);
        kind
    }

    /// Takes how the connection ended.
    pub(crate) fn handle_end(&mut self, end: CloseInfo) {
        self.end = Some(end);
    }

    /// The message to show: the latest one, also after the end.
    pub(crate) fn latest(&self) -> Option<&Message> {
        self.latest.as_ref()
    }

    /// How the connection ended, once it has.
    pub(crate) fn end(&self) -> Option<&CloseInfo> {
        self.end.as_ref()
    }

    /// What is still to come.
    pub(crate) fn awaited(&self) -> Awaited {
        match (self.unechoed.len(), self.unanswered) {
            (0, _) => Awaited::Nothing,
            (_, 0) => Awaited::Perhaps,
            (_, count) => Awaited::Answers(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use talkback::{CloseCause, CloseCode, Initiator};

    use super::*;

    fn after_sending(lines: &[&str]) -> Answers {
        let mut answers = Answers::default();
        for line in lines {
            assert!(answers.submit((*line).to_owned()).is_some());
        }
        answers
    }

    #[test]
    fn nothing_entered_is_nothing_sent() {
        let mut answers = Answers::default();
        assert_eq!(answers.submit(String::new()), None);
        assert_eq!(answers.awaited(), Awaited::Nothing);
    }

    #[test]
    fn an_echo_is_complete_when_all_came_back() {
        let mut answers = after_sending(&["a", "안녕"]);
        assert_eq!(answers.awaited(), Awaited::Answers(2));
        assert_eq!(answers.handle_message("a".into()), Kind::Answer);
        assert_eq!(answers.awaited(), Awaited::Answers(1));
        assert_eq!(answers.handle_message("안녕".into()), Kind::Answer);
        assert_eq!(answers.awaited(), Awaited::Nothing);
        assert_eq!(answers.latest(), Some(&"안녕".into()));
    }

    #[test]
    fn a_greeting_is_not_mistaken_for_the_echo() {
        let mut answers = after_sending(&["a"]);
        answers.handle_message("welcome".into());
        assert_eq!(answers.awaited(), Awaited::Perhaps);
        assert_eq!(answers.handle_message("a".into()), Kind::Answer);
        assert_eq!(answers.awaited(), Awaited::Nothing);
        assert_eq!(answers.handle_message("bye".into()), Kind::Unasked);
    }

    #[test]
    fn a_server_that_answers_otherwise_has_answered_each() {
        let mut answers = after_sending(&["a", "b"]);
        answers.handle_message("A".into());
        assert_eq!(answers.awaited(), Awaited::Answers(1));
        answers.handle_message(vec![0x42].into());
        assert_eq!(answers.awaited(), Awaited::Perhaps);
    }

    #[test]
    fn the_latest_message_outlives_the_connection() {
        let mut answers = after_sending(&["a"]);
        answers.handle_message("a".into());
        let cause = CloseCause::Transport("reset".into());
        let end = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Remote, cause);
        answers.handle_end(end.clone());
        assert_eq!(answers.latest(), Some(&"a".into()));
        assert_eq!(answers.end(), Some(&end));
        assert_eq!(answers.submit("b".to_owned()), None);
    }
}
