//! The two-step arm: the only way a kill level falls.
//!
//! Step one shows the operator the facts and hands out a challenge bound to them; step two returns
//! it. If the facts have changed in between, or 60 seconds have passed, the operator looks again.

use super::board::KillBoard;
use super::latch::{Latch, LatchError, Trip};
use crate::types::{KillLevel, Nanos, Scope, Timestamp};
use sha2::{Digest, Sha256};

/// How long a challenge is good.
pub const VALID: Nanos = Nanos::from_secs(60);

/// What step one hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The word to return.
    pub code: String,
    /// The scope as it was named.
    pub name: String,
    scope: Scope,
    /// The trip it will end.
    pub trip: Trip,
    reason: String,
    facts: [u8; 32],
    expires: Timestamp,
}

/// Why an arm was refused.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// Nothing to lower.
    #[error("{0} is not killed")]
    NotKilled(String),
    /// Reasons are read later by others.
    #[error("a reason of at least 3 characters is needed")]
    NoReason,
    /// Wrong word, or none was asked for.
    #[error("no such challenge: ask for a new one with `arm --scope`")]
    NoChallenge,
    /// Too late.
    #[error("the challenge has expired: ask for a new one")]
    Expired,
    /// The world moved.
    #[error("orders, positions or kills changed since the challenge was given: look again")]
    FactsChanged,
    /// The change could not be made durable, so it was not made.
    #[error(transparent)]
    Latch(#[from] LatchError),
}

/// Holds the one open challenge.
#[derive(Debug, Default)]
pub struct ArmDesk {
    open: Option<Challenge>,
}

impl ArmDesk {
    /// Step one. `random` makes the code unguessable, `facts` is what the operator is shown.
    ///
    /// # Errors
    /// [`ArmError::NotKilled`], [`ArmError::NoReason`].
    pub fn request(
        &mut self,
        latch: &Latch,
        (scope, name): (Scope, &str),
        reason: &str,
        facts: &str,
        random: [u8; 8],
        now: Timestamp,
    ) -> Result<&Challenge, ArmError> {
        let trip = latch.get(name).ok_or_else(|| ArmError::NotKilled(name.to_owned()))?;
        if reason.trim().len() < 3 {
            return Err(ArmError::NoReason);
        }
        Ok(self.open.insert(Challenge {
            code: random.iter().map(|byte| format!("{byte:02x}")).collect(),
            name: name.to_owned(),
            scope,
            trip: trip.clone(),
            reason: reason.to_owned(),
            facts: Sha256::digest(facts.as_bytes()).into(),
            expires: now + VALID,
        }))
    }

    /// Step two: lowers the scope to normal on the board and in the file.
    ///
    /// # Errors
    /// Every way in which the challenge no longer holds. Any of them uses it up.
    pub fn confirm(
        &mut self,
        latch: &mut Latch,
        board: &KillBoard,
        code: &str,
        facts: &str,
        now: Timestamp,
    ) -> Result<(Scope, Trip, String), ArmError> {
        let challenge = self.open.take().ok_or(ArmError::NoChallenge)?;
        if challenge.code != code {
            return Err(ArmError::NoChallenge);
        }
        if now > challenge.expires {
            return Err(ArmError::Expired);
        }
        let facts: [u8; 32] = Sha256::digest(facts.as_bytes()).into();
        if facts != challenge.facts || latch.get(&challenge.name) != Some(&challenge.trip) {
            return Err(ArmError::FactsChanged);
        }
        // File first: a crash in between leaves the board's level in memory, which is gone anyway.
        latch.clear(&challenge.name)?;
        board.lower(challenge.scope, challenge.trip.level, KillLevel::Normal);
        Ok((challenge.scope, challenge.trip, challenge.reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Folder, MemoryFolder};
    use std::sync::Arc;

    fn killed() -> (Latch, KillBoard) {
        let folder: Arc<dyn Folder> = Arc::new(MemoryFolder::new());
        let mut latch = Latch::open(&folder, true).unwrap();
        let board = KillBoard::new(1, 1, 3, 1);
        board.raise(Scope::Global, KillLevel::Cancel);
        latch.raise("global", KillLevel::Cancel, "drill", Timestamp::ZERO).unwrap();
        (latch, board)
    }

    /// INV-4: the two-step arm is the only way down.
    #[test]
    fn both_steps_lower_and_nothing_else_does() {
        let (mut latch, board) = killed();
        let mut desk = ArmDesk::default();
        let global = (Scope::Global, "global");
        let later = Timestamp::ZERO + Nanos::from_secs(61);
        assert!(matches!(
            desk.confirm(&mut latch, &board, "00", "f", Timestamp::ZERO),
            Err(ArmError::NoChallenge)
        ));
        let ask = |desk: &mut ArmDesk, latch: &Latch| {
            desk.request(latch, global, "all clear", "f", [7; 8], Timestamp::ZERO)
                .unwrap()
                .code
                .clone()
        };
        let code = ask(&mut desk, &latch);
        assert!(matches!(
            desk.confirm(&mut latch, &board, &code, "f", later),
            Err(ArmError::Expired)
        ));
        assert!(matches!(
            desk.confirm(&mut latch, &board, &code, "f", Timestamp::ZERO),
            Err(ArmError::NoChallenge)
        ));
        let code = ask(&mut desk, &latch);
        assert!(matches!(
            desk.confirm(&mut latch, &board, &code, "other facts", Timestamp::ZERO),
            Err(ArmError::FactsChanged)
        ));
        let code = ask(&mut desk, &latch);
        latch.raise("global", KillLevel::Isolate, "worse", Timestamp::ZERO).unwrap();
        board.raise(Scope::Global, KillLevel::Isolate);
        assert!(matches!(
            desk.confirm(&mut latch, &board, &code, "f", Timestamp::ZERO),
            Err(ArmError::FactsChanged)
        ));
        assert_eq!(board.level(Scope::Global), KillLevel::Isolate);
        let code = ask(&mut desk, &latch);
        desk.confirm(&mut latch, &board, &code, "f", Timestamp::ZERO).unwrap();
        assert_eq!(board.level(Scope::Global), KillLevel::Normal);
        assert!(latch.trips().is_empty());
        assert!(matches!(
            desk.request(&latch, global, "again", "f", [7; 8], Timestamp::ZERO),
            Err(ArmError::NotKilled(_))
        ));
    }
}
