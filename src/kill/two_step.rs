//! Two steps for what loosens: the first shows the facts and hands out a challenge bound to them, the
//! second returns it. If the facts have changed in between, or 60 seconds have passed, the operator
//! looks again. Any failure uses the challenge up.

use crate::types::{Nanos, Timestamp};
use sha2::{Digest, Sha256};

/// How long a challenge is good.
pub const VALID: Nanos = Nanos::from_secs(60);

/// Holds the one open challenge, for a wish of this kind.
#[derive(Debug)]
pub struct TwoStep<T>(Option<Challenge<T>>);

#[derive(Debug)]
struct Challenge<T> {
    code: String,
    wish: T,
    facts: [u8; 32],
    expires: Timestamp,
}

/// Why the second step was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Wrong word, or none was asked for.
    #[error("no such challenge: ask for a new one")]
    NoChallenge,
    /// Too late.
    #[error("the challenge has expired: ask for a new one")]
    Expired,
    /// The world moved.
    #[error("what was shown has changed since the challenge was given: look again")]
    FactsChanged,
}

impl<T> Default for TwoStep<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> TwoStep<T> {
    /// Step one: the code to return. `random` makes it unguessable, `facts` is what is shown.
    pub fn request(&mut self, wish: T, facts: &str, random: [u8; 8], now: Timestamp) -> String {
        let code: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        self.0 = Some(Challenge {
            code: code.clone(),
            wish,
            facts: Sha256::digest(facts.as_bytes()).into(),
            expires: now + VALID,
        });
        code
    }

    /// Step two: the wish.
    ///
    /// # Errors
    /// Every way in which the challenge no longer holds.
    pub fn confirm(&mut self, code: &str, facts: &str, now: Timestamp) -> Result<T, StepError> {
        let challenge = self.0.take().ok_or(StepError::NoChallenge)?;
        if challenge.code != code {
            return Err(StepError::NoChallenge);
        }
        if now > challenge.expires {
            return Err(StepError::Expired);
        }
        if challenge.facts != <[u8; 32]>::from(Sha256::digest(facts.as_bytes())) {
            return Err(StepError::FactsChanged);
        }
        Ok(challenge.wish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_word_in_time_under_the_same_facts() {
        let (mut steps, now) = (TwoStep::default(), Timestamp::ZERO);
        assert_eq!(steps.confirm("00", "f", now), Err(StepError::NoChallenge));
        let late = now + VALID + Nanos(1);
        for (word, facts, at, expected) in [
            (None, "f", now, Ok(7)),
            (Some("wrong"), "f", now, Err(StepError::NoChallenge)),
            (None, "other", now, Err(StepError::FactsChanged)),
            (None, "f", late, Err(StepError::Expired)),
        ] {
            let code = steps.request(7, "f", [3; 8], now);
            assert_eq!(steps.confirm(word.unwrap_or(&code), facts, at), expected);
            assert_eq!(steps.confirm(&code, "f", now), Err(StepError::NoChallenge), "used up");
        }
    }
}
