//! Whether what came is what was sent.

use anyhow::{Result, bail};

use crate::frames::{Round, ping_or_pong};

/// How the echoes of rounds are verified, as they come in pieces on several connections.
pub(crate) trait Check {
    /// Takes what came on a connection while a round is under way: what lies behind the round's echoes, and whether
    /// these are complete.
    fn take<'a>(
        &mut self,
        connection: usize,
        round: usize,
        came: &'a [u8],
    ) -> Result<(&'a [u8], bool)>;
}

/// Echoes whose every byte is known, as most servers can write them in one way only.
pub(crate) struct Exact<'a> {
    rounds: &'a [Round],
    /// How much of its round has come on each connection.
    echoed: Vec<usize>,
}

impl<'a> Exact<'a> {
    pub(crate) fn new(rounds: &'a [Round], connections: usize) -> Self {
        let echoed = vec![0; connections];
        Self { rounds, echoed }
    }
}

impl Check for Exact<'_> {
    /// A ping or a pong may stand between two frames. Nobody answers the ping: a server that minds is patient enough
    /// for a run.
    fn take<'a>(
        &mut self,
        connection: usize,
        round: usize,
        came: &'a [u8],
    ) -> Result<(&'a [u8], bool)> {
        let (round, echoed) = (&self.rounds[round], &mut self.echoed[connection]);
        let expected = &round.echoes[*echoed..];
        let len = came.len().min(expected.len());
        if came[..len] == expected[..len] && len > 0 {
            let is_whole = len == expected.len();
            *echoed = if is_whole { 0 } else { *echoed + len };
            return Ok((&came[len..], is_whole));
        }
        let same = came
            .iter()
            .zip(expected)
            .take_while(|(a, b)| a == b)
            .count();
        *echoed += same;
        let rest = &came[same..];
        match ping_or_pong(rest) {
            Some(len) if echoed.is_multiple_of(round.echo_len) => Ok((&rest[len..], false)),
            _ => bail!(
                "the echo differs at byte {echoed} of {}: {:02x?}",
                round.echoes.len(),
                &rest[..rest.len().min(16)]
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The echoes of "ab" and "cd".
    fn round() -> [Round; 1] {
        let echoes = b"\x82\x02ab\x82\x02cd".to_vec();
        [Round {
            write: Vec::new(),
            echoes,
            echo_len: 4,
        }]
    }

    /// Whether the round is complete behind all pieces.
    fn take(pieces: &[&[u8]]) -> Result<bool> {
        let rounds = round();
        let (mut check, mut is_whole) = (Exact::new(&rounds, 1), false);
        for mut came in pieces.iter().copied() {
            while !came.is_empty() {
                (came, is_whole) = check.take(0, 0, came)?;
            }
        }
        Ok(is_whole)
    }

    #[test]
    fn echoes_may_be_cut_anywhere() {
        let [round] = round();
        for at in 0..round.echoes.len() {
            let (begin, end) = round.echoes.split_at(at);
            assert!(!take(&[begin]).unwrap());
            assert!(take(&[begin, end]).unwrap());
        }
    }

    #[test]
    fn a_byte_that_differs_is_an_error() {
        let [round] = round();
        for at in 0..round.echoes.len() {
            let mut came = round.echoes.clone();
            came[at] ^= 1;
            assert!(take(&[&came]).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_ping_may_stand_between_frames_and_nowhere_else() {
        assert!(take(&[b"\x82\x02ab\x89\x01p\x82\x02cd"]).unwrap());
        assert!(take(&[b"\x82\x02a\x89\x01pb\x82\x02cd"]).is_err());
    }
}
