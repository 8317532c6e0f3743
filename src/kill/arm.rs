//! The two-step arm: the only way a kill level falls.
//!
//! Step one shows the operator the facts and hands out a challenge bound to them; step two returns
//! it: see [`TwoStep`]. The trip must still be the one that was shown.

use super::board::KillBoard;
use super::latch::{Latch, LatchError, Trip};
use super::two_step::{StepError, TwoStep};
use crate::types::{KillLevel, Scope, Timestamp};

#[derive(Debug)]
struct Wish {
    /// The scope as it was named.
    name: String,
    scope: Scope,
    /// The trip it will end.
    trip: Trip,
    reason: String,
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
    /// The challenge no longer holds.
    #[error(transparent)]
    Step(#[from] StepError),
    /// An automatic trip was raised too short a time ago.
    #[error("{0} is cooling off for another {1} s: find the cause meanwhile")]
    CoolingOff(String, u64),
    /// The change could not be made durable, so it was not made.
    #[error(transparent)]
    Latch(#[from] LatchError),
}

/// Holds the one open challenge.
#[derive(Debug, Default)]
pub struct ArmDesk(TwoStep<Wish>);

impl ArmDesk {
    /// Step one: the code to return. `random` makes it unguessable, `facts` is what the operator is shown.
    ///
    /// # Errors
    /// [`ArmError::NotKilled`], [`ArmError::NoReason`], [`ArmError::CoolingOff`].
    pub fn request(
        &mut self,
        latch: &Latch,
        (scope, name): (Scope, &str),
        reason: &str,
        facts: &str,
        random: [u8; 8],
        now: Timestamp,
    ) -> Result<String, ArmError> {
        let trip = latch.get(name).ok_or_else(|| ArmError::NotKilled(name.to_owned()))?;
        if reason.trim().len() < 3 {
            return Err(ArmError::NoReason);
        }
        let left = (trip.since + trip.cool_off).since(now);
        if planted!(CoolOffIgnored, left.0 > 0, false) {
            return Err(ArmError::CoolingOff(name.to_owned(), left.0.div_ceil(1_000_000_000)));
        }
        let wish =
            Wish { name: name.to_owned(), scope, trip: trip.clone(), reason: reason.to_owned() };
        Ok(self.0.request(wish, facts, random, now))
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
        let challenge = self.0.confirm(code, facts, now)?;
        if latch.get(&challenge.name) != Some(&challenge.trip) {
            return Err(StepError::FactsChanged.into());
        }
        // File first: a crash in between leaves the board's level in memory, which is gone anyway.
        latch.clear(&challenge.name)?;
        if !board.lower(challenge.scope, challenge.trip.level, KillLevel::Normal) {
            // The guardian has raised it in this very moment; its trip is about to be recorded.
            latch.record(challenge.trip)?;
            return Err(StepError::FactsChanged.into());
        }
        Ok((challenge.scope, challenge.trip, challenge.reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Folder, MemoryFolder};
    use crate::types::Nanos;
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
    fn an_automatic_trip_cools_off_first() {
        let (mut latch, board) = killed();
        let (rule, cool_off) = (crate::msg::Rule::DailyLoss, Nanos::from_secs(30));
        let start = Timestamp::from_nanos(7);
        let scope = "account:paper";
        latch
            .raise_by(Some((rule, cool_off)), (scope, KillLevel::Block, "loss"), start, |_| ())
            .unwrap();
        board.raise(Scope::Account(crate::types::AccountId(0)), KillLevel::Block);
        let mut desk = ArmDesk::default();
        let named = (Scope::Account(crate::types::AccountId(0)), scope);
        let mut ask = |now| desk.request(&latch, named, "found", "f", [7; 8], now).map(|_| ());
        let end = start + cool_off;
        assert!(matches!(ask(end - Nanos(1)), Err(ArmError::CoolingOff(_, 1))));
        assert!(ask(end).is_ok());
    }

    #[test]
    fn both_steps_lower_and_nothing_else_does() {
        let (mut latch, board) = killed();
        let mut desk = ArmDesk::default();
        let global = (Scope::Global, "global");
        let later = Timestamp::ZERO + Nanos::from_secs(61);
        assert!(matches!(
            desk.confirm(&mut latch, &board, "00", "f", Timestamp::ZERO),
            Err(ArmError::Step(StepError::NoChallenge))
        ));
        let ask = |desk: &mut ArmDesk, latch: &Latch| {
            desk.request(latch, global, "all clear", "f", [7; 8], Timestamp::ZERO).unwrap()
        };
        let code = ask(&mut desk, &latch);
        assert!(matches!(
            desk.confirm(&mut latch, &board, &code, "f", later),
            Err(ArmError::Step(StepError::Expired))
        ));
        assert!(matches!(
            desk.confirm(&mut latch, &board, &code, "f", Timestamp::ZERO),
            Err(ArmError::Step(StepError::NoChallenge))
        ));
        let code = ask(&mut desk, &latch);
        assert!(matches!(
            desk.confirm(&mut latch, &board, &code, "other facts", Timestamp::ZERO),
            Err(ArmError::Step(StepError::FactsChanged))
        ));
        let code = ask(&mut desk, &latch);
        latch.raise("global", KillLevel::Isolate, "worse", Timestamp::ZERO).unwrap();
        board.raise(Scope::Global, KillLevel::Isolate);
        assert!(matches!(
            desk.confirm(&mut latch, &board, &code, "f", Timestamp::ZERO),
            Err(ArmError::Step(StepError::FactsChanged))
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
