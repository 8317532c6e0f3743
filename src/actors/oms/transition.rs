//! The order lifecycle as one total table: every state meets every event, none is left to chance.

use crate::types::OrdStatus;
use serde::{Deserialize, Serialize};

/// Where the order itself stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Approved, on its way, not acknowledged.
    Sent,
    /// The broker has it.
    Working,
    /// Its fate is unknown: it counts as live until the broker says otherwise (INV-8).
    InDoubt,
    /// Done: all of it traded.
    Filled,
    /// Done: taken back, or ended with its group.
    Canceled,
    /// Done: refused, or proven never to have arrived.
    Rejected,
    /// Done: its time ran out.
    Expired,
}

/// A change of the order that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pending {
    /// Nothing.
    None,
    /// A cancel.
    Cancel,
    /// A replace.
    Replace,
}

/// Stage and pending change together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    /// Where the order stands.
    pub stage: Stage,
    /// What is being done to it.
    pub pending: Pending,
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The broker has it.
    Accepted,
    /// A fill that leaves something open.
    Fill,
    /// The fill that completes it.
    LastFill,
    /// The broker took it back.
    Canceled,
    /// The broker refused it, or it is proven never to have left.
    Rejected,
    /// The broker ended it by its time in force.
    Expired,
    /// The broker works it under the new terms.
    Replaced,
    /// The broker took a fill back, and works on.
    Reopened,
    /// The broker ended it, and its snapshots go on listing it as open.
    Revived,
    /// We asked for a cancel.
    CancelSent,
    /// We asked for new terms.
    ReplaceSent,
    /// The cancel was refused or never left.
    CancelRejected,
    /// The replace was refused or never left.
    ReplaceRejected,
    /// No answer came, or the link broke before one could.
    Lost,
}

/// What is odd about an event. The state returned with it is still the right one to go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Oddity {
    /// Said before: nothing changes.
    Duplicate,
    /// A fill after the end: booked, alarmed.
    LateFill,
    /// The broker ends or accepts an order that had ended otherwise.
    Contradiction,
    /// An answer to a request that was not made.
    Unasked,
    /// An order or position that this gateway did not make, taken over from the broker.
    Adopted,
    /// A fill was taken back or stated anew.
    Correction,
    /// More traded than the order asked for: booked, alarmed.
    Overfill,
}

impl Oddity {
    /// The word in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::LateFill => "late_fill",
            Self::Contradiction => "contradiction",
            Self::Unasked => "unasked",
            Self::Adopted => "adopted",
            Self::Correction => "correction",
            Self::Overfill => "overfill",
        }
    }
}

/// The state after `event`, and what is odd about it.
#[rustfmt::skip]
#[deny(clippy::wildcard_enum_match_arm)]
pub fn transition(state: State, event: Event) -> (State, Option<Oddity>) {
    use Event as E;
    use Pending as P;
    use Stage as S;
    let State { stage, pending } = state;
    let (stage, pending, odd) = match (stage, event) {
        // On its way.
        (S::Sent | S::InDoubt, E::Accepted)          => (S::Working, pending, None),
        (S::Sent | S::InDoubt | S::Working, E::Fill) => (S::Working, pending, None),
        (S::Sent | S::InDoubt | S::Working, E::LastFill) => (S::Filled, P::None, None),
        (S::Sent | S::InDoubt | S::Working, E::Rejected) => (S::Rejected, P::None, None),
        (S::Sent | S::InDoubt | S::Working, E::Canceled) => (S::Canceled, P::None, None),
        (S::Sent | S::InDoubt | S::Working, E::Expired)  => (S::Expired, P::None, None),
        (S::Sent | S::InDoubt, E::Lost) =>
            (planted!(TimeoutIsReject, S::InDoubt, S::Rejected), pending, None),
        (S::Working, E::Accepted)                    => (S::Working, pending, Some(Oddity::Duplicate)),
        // A working order keeps working when the link breaks; its pending change stays pending.
        (S::Working, E::Lost)                        => (S::Working, pending, None),
        // Changes.
        (S::Sent | S::InDoubt | S::Working, E::CancelSent)  => (stage, P::Cancel, None),
        (S::Sent | S::InDoubt | S::Working, E::ReplaceSent) => match pending {
            P::None => (stage, P::Replace, None),
            P::Cancel | P::Replace => (stage, pending, Some(Oddity::Unasked)),
        },
        (S::Sent | S::InDoubt | S::Working, E::Replaced) => match pending {
            P::Replace | P::None => (S::Working, P::None, None),
            P::Cancel => (S::Working, P::Cancel, None),
        },
        (S::Sent | S::InDoubt | S::Working, E::CancelRejected) => match pending {
            P::Cancel => (stage, P::None, None),
            P::None | P::Replace => (stage, pending, Some(Oddity::Unasked)),
        },
        (S::Sent | S::InDoubt | S::Working, E::ReplaceRejected) => match pending {
            P::Replace => (stage, P::None, None),
            P::None | P::Cancel => (stage, pending, None),
        },
        // After the end: fills are booked, the end stays.
        (S::Filled | S::Canceled | S::Rejected | S::Expired, E::Fill) =>
            (planted!(FillRevives, stage, S::Working), P::None, Some(Oddity::LateFill)),
        (S::Canceled | S::Rejected | S::Expired, E::LastFill) =>
            (S::Filled, P::None, Some(Oddity::LateFill)),
        (S::Filled, E::LastFill)   => (S::Filled, P::None, Some(Oddity::LateFill)),
        (S::Canceled, E::Canceled) => (S::Canceled, P::None, Some(Oddity::Duplicate)),
        (S::Rejected, E::Rejected) => (S::Rejected, P::None, Some(Oddity::Duplicate)),
        (S::Expired, E::Expired)   => (S::Expired, P::None, Some(Oddity::Duplicate)),
        // An order that was proven absent and lives after all: believe the broker.
        (S::Rejected, E::Accepted | E::Replaced) => (S::Working, P::None, Some(Oddity::Contradiction)),
        // A cancel or an end that crossed a fill, an acknowledgement that was overtaken.
        (S::Filled, E::Canceled) =>
            (planted!(CancelOverFill, S::Filled, S::Canceled), P::None, Some(Oddity::Duplicate)),
        (S::Filled, E::Accepted | E::Replaced | E::Expired | E::Rejected) =>
            (S::Filled, P::None, Some(Oddity::Duplicate)),
        (S::Canceled | S::Expired, E::Accepted | E::Replaced) => (stage, P::None, Some(Oddity::Duplicate)),
        (S::Canceled, E::Rejected | E::Expired)
        | (S::Rejected, E::Canceled | E::Expired)
        | (S::Expired, E::Canceled | E::Rejected) => (stage, P::None, Some(Oddity::Contradiction)),
        // A fill is taken back: only what ended by filling can go on.
        (S::Sent | S::InDoubt | S::Working, E::Reopened) => (S::Working, pending, None),
        (S::Filled, E::Reopened) => (S::Working, P::None, None),
        (S::Canceled | S::Rejected | S::Expired, E::Reopened) =>
            (stage, P::None, Some(Oddity::Contradiction)),
        // It lives, whatever was said of its end: an old report told again, or the broker's own change
        // of mind.
        (S::Sent | S::InDoubt | S::Working, E::Revived) => (S::Working, pending, None),
        (S::Canceled | S::Rejected | S::Expired, E::Revived) =>
            (S::Working, P::None, Some(Oddity::Contradiction)),
        (S::Filled, E::Revived) => (S::Filled, P::None, Some(Oddity::Duplicate)),
        // Answers to changes of an order that ended meanwhile.
        (S::Filled | S::Canceled | S::Rejected | S::Expired,
            E::CancelRejected | E::ReplaceRejected | E::Lost) => (stage, P::None, None),
        (S::Filled | S::Canceled | S::Rejected | S::Expired, E::CancelSent | E::ReplaceSent) =>
            (stage, P::None, Some(Oddity::Unasked)),
    };
    (State { stage, pending }, odd)
}

impl State {
    /// A new order's state.
    pub const NEW: Self = Self { stage: Stage::Sent, pending: Pending::None };

    /// Nothing is left to happen but late fills.
    pub const fn is_done(self) -> bool {
        matches!(self.stage, Stage::Filled | Stage::Canceled | Stage::Rejected | Stage::Expired)
    }

    /// Done on the broker's word that it took the order back or let its time run out.
    pub const fn was_ended(self) -> bool {
        matches!(self.stage, Stage::Canceled | Stage::Expired)
    }

    /// FIX 39.
    pub const fn ord_status(self, any_fill: bool) -> OrdStatus {
        match (self.stage, self.pending) {
            (Stage::InDoubt, _) => OrdStatus::InDoubt,
            (Stage::Sent, _) => OrdStatus::PendingNew,
            (Stage::Filled, _) => OrdStatus::Filled,
            (Stage::Canceled, _) => OrdStatus::Canceled,
            (Stage::Rejected, _) => OrdStatus::Rejected,
            (Stage::Expired, _) => OrdStatus::Expired,
            (Stage::Working, Pending::Cancel) => OrdStatus::PendingCancel,
            (Stage::Working, Pending::Replace) => OrdStatus::PendingReplace,
            (Stage::Working, Pending::None) if any_fill => OrdStatus::PartiallyFilled,
            (Stage::Working, Pending::None) => OrdStatus::New,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 7] = [
        Stage::Sent,
        Stage::Working,
        Stage::InDoubt,
        Stage::Filled,
        Stage::Canceled,
        Stage::Rejected,
        Stage::Expired,
    ];
    const PENDINGS: [Pending; 3] = [Pending::None, Pending::Cancel, Pending::Replace];
    const EVENTS: [Event; 14] = [
        Event::Accepted,
        Event::Fill,
        Event::LastFill,
        Event::Canceled,
        Event::Rejected,
        Event::Expired,
        Event::Replaced,
        Event::Reopened,
        Event::Revived,
        Event::CancelSent,
        Event::ReplaceSent,
        Event::CancelRejected,
        Event::ReplaceRejected,
        Event::Lost,
    ];

    fn all() -> impl Iterator<Item = (State, Event)> {
        STAGES.into_iter().flat_map(|stage| {
            PENDINGS.into_iter().flat_map(move |pending| {
                EVENTS.into_iter().map(move |event| (State { stage, pending }, event))
            })
        })
    }

    #[test]
    fn an_end_is_an_end_but_for_proof_that_the_order_lives() {
        for (state, event) in all().filter(|(state, _)| state.is_done()) {
            let (next, odd) = transition(state, event);
            let revived = state.stage == Stage::Rejected
                && matches!(event, Event::Accepted | Event::Replaced)
                || state.stage != Stage::Filled && event == Event::Revived;
            let reopened = state.stage == Stage::Filled && event == Event::Reopened;
            assert_eq!(next.is_done(), !revived && !reopened, "{state:?} {event:?}");
            if revived || matches!(event, Event::Fill | Event::LastFill) {
                assert!(odd.is_some(), "{state:?} {event:?} must be noticed");
            }
        }
    }

    #[test]
    fn nothing_but_the_broker_ends_an_order() {
        for (state, event) in all().filter(|(state, _)| !state.is_done()) {
            let (next, _) = transition(state, event);
            let by_broker = matches!(
                event,
                Event::LastFill | Event::Canceled | Event::Rejected | Event::Expired
            );
            assert_eq!(next.is_done(), by_broker, "{state:?} {event:?}");
        }
    }

    /// INV-8: only the broker ends a doubt.
    #[test]
    fn doubt_comes_only_from_loss_and_goes_only_by_evidence() {
        for (state, event) in all() {
            let (next, _) = transition(state, event);
            if next.stage == Stage::InDoubt && state.stage != Stage::InDoubt {
                assert_eq!((state.stage, event), (Stage::Sent, Event::Lost));
            }
            if state.stage == Stage::InDoubt && next.stage != Stage::InDoubt {
                assert!(!matches!(
                    event,
                    Event::Lost
                        | Event::CancelSent
                        | Event::ReplaceSent
                        | Event::CancelRejected
                        | Event::ReplaceRejected
                ));
            }
        }
    }
}
