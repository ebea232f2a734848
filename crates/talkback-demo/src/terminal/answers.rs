//! What was sent, and which of it has come back.
//!
//! Only the terminal asks: a window shows the last answer for as long as it is open, but a pipe ends,
//! and then every line must have its answer. This knows neither screen nor socket nor clock.

use std::collections::VecDeque;

use talkback::Message;

/// The messages, as far as the end of the input has to wait for them.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// What was sent and has not come back, oldest first.
    unechoed: VecDeque<String>,
    /// How many of the messages sent have no answer yet, whatever the answers say.
    unanswered: usize,
    /// How many will have none, as their connection was lost.
    given_up: usize,
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
    /// Takes what was sent.
    pub(crate) fn handle_sent(&mut self, text: String) {
        self.unechoed.push_back(text);
        self.unanswered += 1;
    }

    /// Takes what the stream brings.
    pub(crate) fn handle_message(&mut self, message: &Message) -> Kind {
        // A server that echoes does so in order, so that only the oldest can be what came back.
        let is_echo = match (message.as_text(), self.unechoed.front()) {
            (Some(text), Some(oldest)) => text == oldest,
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
        kind
    }

    /// Takes that the connection was lost while so many bytes waited, which the next one will take. Returns how
    /// many messages will have no answer.
    pub(crate) fn handle_lost(&mut self, waiting_bytes: usize) -> usize {
        let mut bytes = 0;
        // What waits was sent last.
        let is_waiting = |text: &&String| {
            bytes += text.len();
            bytes <= waiting_bytes
        };
        let waiting = self.unechoed.iter().rev().take_while(is_waiting).count();
        let given_up = self.unanswered.saturating_sub(waiting);
        self.unechoed.drain(..self.unechoed.len() - waiting);
        self.unanswered = waiting;
        self.given_up += given_up;
        given_up
    }

    /// How many messages will have no answer.
    pub(crate) fn given_up(&self) -> usize {
        self.given_up
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
    use super::*;

    fn after_sending(lines: &[&str]) -> Answers {
        let mut answers = Answers::default();
        for line in lines {
            answers.handle_sent((*line).to_owned());
        }
        answers
    }

    #[test]
    fn nothing_sent_is_nothing_awaited() {
        let mut answers = after_sending(&[]);
        assert_eq!(answers.awaited(), Awaited::Nothing);
        assert_eq!(answers.handle_message(&"hello".into()), Kind::Unasked);
    }

    #[test]
    fn an_echo_is_complete_when_all_came_back() {
        let mut answers = after_sending(&["a", "안녕"]);
        assert_eq!(answers.awaited(), Awaited::Answers(2));
        assert_eq!(answers.handle_message(&"a".into()), Kind::Answer);
        assert_eq!(answers.awaited(), Awaited::Answers(1));
        assert_eq!(answers.handle_message(&"안녕".into()), Kind::Answer);
        assert_eq!(answers.awaited(), Awaited::Nothing);
    }

    #[test]
    fn a_greeting_is_not_mistaken_for_the_echo() {
        let mut answers = after_sending(&["a"]);
        answers.handle_message(&"welcome".into());
        assert_eq!(answers.awaited(), Awaited::Perhaps);
        assert_eq!(answers.handle_message(&"a".into()), Kind::Answer);
        assert_eq!(answers.awaited(), Awaited::Nothing);
        assert_eq!(answers.handle_message(&"bye".into()), Kind::Unasked);
    }

    #[test]
    fn a_server_that_answers_otherwise_has_answered_each() {
        let mut answers = after_sending(&["a", "b"]);
        answers.handle_message(&"A".into());
        assert_eq!(answers.awaited(), Awaited::Answers(1));
        answers.handle_message(&vec![0x42].into());
        assert_eq!(answers.awaited(), Awaited::Perhaps);
    }

    #[test]
    fn a_lost_connection_answers_nothing_but_what_waits_is_sent_on_the_next() {
        let mut answers = after_sending(&["a", "bb", "안녕", "c"]);
        answers.handle_message(&"a".into());
        assert_eq!(answers.handle_lost("안녕c".len()), 1);
        assert_eq!(answers.awaited(), Awaited::Answers(2));
        assert_eq!(answers.handle_message(&"안녕".into()), Kind::Answer);
        assert_eq!(answers.handle_message(&"c".into()), Kind::Answer);
        assert_eq!(
            (answers.awaited(), answers.given_up()),
            (Awaited::Nothing, 1)
        );
        assert_eq!(answers.handle_lost(0), 0);
    }
}
