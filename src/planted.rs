//! Bugs planted on purpose, to find out whether the simulator notices them: `qtos sim --mutants`,
//! docs/mutants.md. They exist in builds with the feature `mutants` only; in any other build
//! `planted!` is the right expression and nothing else, and the wrong one is not even compiled.
//!
//! One bug at a time is on, in the whole process.

/// `planted!(Bug, right, wrong)`: the right expression, and in builds with the feature `mutants` the
/// wrong one while that bug is on.
#[cfg(not(feature = "mutants"))]
macro_rules! planted {
    ($bug:ident, $right:expr, $wrong:expr $(,)?) => {{ $right }};
}
#[cfg(feature = "mutants")]
macro_rules! planted {
    ($bug:ident, $right:expr, $wrong:expr $(,)?) => {
        if $crate::planted::is_on($crate::planted::Bug::$bug) { $wrong } else { $right }
    };
}

#[cfg(feature = "mutants")]
pub use on::{BUGS, Bug, Planted, is_on, switch};

#[cfg(feature = "mutants")]
mod on {
    use std::sync::atomic::{AtomicU16, Ordering};

    /// One planted bug.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Planted {
        /// Which.
        pub bug: Bug,
        /// What it is called.
        pub name: &'static str,
        /// The file it sits in, below `src/`.
        pub place: &'static str,
        /// What goes wrong.
        pub what: &'static str,
    }

    macro_rules! bugs {
        ($($place:literal { $($bug:ident = $name:literal, $what:literal;)+ })+) => {
            /// A bug that somebody might write.
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            #[repr(u16)]
            #[allow(missing_docs, reason = "each has its sentence in BUGS")]
            pub enum Bug { $($($bug),+),+ }

            /// All of them, by place.
            pub const BUGS: &[Planted] = &[
                $($(Planted { bug: Bug::$bug, name: $name, place: $place, what: $what }),+),+
            ];
        };
    }

    bugs! {
        "actors/oms/mod.rs" {
            PairCountedTwice = "pair-counted-twice", "two orders that exclude each other are both reserved in full";
            LegCountedEarly = "leg-counted-early", "a leg is reserved before its parent has filled";
            ExitsCountedTwice = "exits-counted-twice", "both exits of a bracket are reserved in full";
            ReplaceKeepsTerms = "replace-keeps-terms", "a replaced order keeps its old terms";
            ReplaceKeepsSize = "replace-keeps-size", "a replaced order keeps its old size";
            RefusedReplaceStays = "refused-replace-stays", "the terms of a refused replace are not forgotten";
            NewNameUnknown = "new-name-unknown", "the name of a replace is not noted before its answer";
        }
        "actors/oms/executions.rs" {
            FillBookedTwice = "fill-booked-twice", "a fill that is known is booked again";
            GapClosedOver = "gap-closed-over", "a fill ahead of a gap counts as if nothing were missing before it";
            LateFillDropped = "late-fill-dropped", "a fill after the order's end is not booked";
            LegNotCut = "leg-not-cut", "an order that its pair made smaller keeps its size";
        }
        "actors/oms/corrections.rs" {
            BustUnbooked = "bust-unbooked", "a fill that the broker takes back stays in the books";
        }
        "actors/oms/transition.rs" {
            FillRevives = "fill-revives", "a late fill opens an order that has ended";
            CancelOverFill = "cancel-over-fill", "a cancel that crossed the last fill makes a filled order cancelled";
            TimeoutIsReject = "timeout-is-reject", "no answer is taken for a refusal";
        }
        "actors/oms/order.rs" {
            ReplaceReservesNew = "replace-reserves-new", "a replace under way reserves the new size alone";
            CancelFrees = "cancel-frees", "a cancel that was only asked for gives the exposure back";
            DoubtFrees = "doubt-frees", "an order in doubt counts for nothing";
        }
        "actors/oms/reconcile.rs" {
            AbsentAtOnce = "absent-at-once", "one snapshot that lacks an order ends it";
            MissedFillsStay = "missed-fills-stay", "fills that only a snapshot shows are not booked";
            StrangersUnmerged = "strangers-unmerged", "what a stranger's order has filled is not taken over";
            PaperedOver = "papered-over", "a position that is not ours is booked without a fill";
            ChangeGivenUp = "change-given-up", "a snapshot from before a change is proof that it did not happen";
        }
        "actors/oms/books.rs" {
            AgentCellForgotten = "agent-cell-forgotten", "an open order is reserved for its account, not for its agent";
            FeeForgotten = "fee-forgotten", "cash does not know of fees";
        }
        "actors/oms/position.rs" {
            FlipKeepsCost = "flip-keeps-cost", "a position that changes sides keeps the cost of what was closed";
        }
        "actors/oms/exposure.rs" {
            ReduceIgnoresOpen = "reduce-ignores-open", "a way out counts as one whatever else is open on its side";
            ReduceCrosses = "reduce-crosses", "an order against a position reduces it however large it is";
        }
        "actors/risk/mod.rs" {
            CancelOfStranger = "cancel-of-stranger", "an agent may cancel the orders of others";
            LegsUnchecked = "legs-unchecked", "the legs of a list pass without a check";
        }
        "actors/risk/case.rs" {
            PositionForgetsOpen = "position-forgets-open", "the worst position leaves out what is open";
            GrossForgetsShorts = "gross-forgets-shorts", "gross exposure knows the long side alone";
        }
        "actors/risk/form.rs" {
            StalePasses = "stale-passes", "a price that is too old carries a decision";
            GapPasses = "gap-passes", "a price behind a gap carries a decision";
        }
        "actors/risk/halts.rs" {
            HoldIgnored = "hold-ignored", "holds hold nothing";
            LowerKillWins = "lower-kill-wins", "a kill that comes later lowers a harder one";
        }
        "actors/risk/window.rs" {
            HalfWindow = "half-window", "a rate is held over half of its window";
        }
        "actors/risk/check/" {
            QtyOfGrowth = "qty-of-growth", "the limit on an order's size looks at what a replace adds";
            ValueOfNew = "value-of-new", "the limit on an order's value skips replaces";
            PositionOneLotOver = "position-one-lot-over", "the position limit is off by one lot";
            CollarOneSided = "collar-one-sided", "the price collar looks up only";
            CollarSkipsStops = "collar-skips-stops", "the price collar skips stop prices";
            HaltPasses = "halt-passes", "a halted instrument is opened";
            RateSkipsReplaces = "rate-skips-replaces", "replaces do not count towards the rate of orders";
            IntentComesTwice = "intent-comes-twice", "the newest intent number of an agent is not known";
            ListIsOneOrder = "list-is-one-order", "a list counts as one open order";
            NetSignOfSells = "net-sign-of-sells", "net exposure has the wrong sign for sells";
            TouchIsNoMatch = "touch-is-no-match", "own orders at the same price do not match";
            OthersAreNoMatch = "others-are-no-match", "only an agent's own orders match with it";
            LastOneFree = "last-one-free", "the budget of a day does not count the order that it judges";
            TradedForgotten = "traded-forgotten", "fills do not count towards the day's traded value";
            LossSign = "loss-sign", "a profit is taken for a loss, and the other way round";
        }
        "actors/enforce.rs" {
            CancelKillSpares = "cancel-kill-spares", "a kill at cancel takes no orders back";
            EvidenceOfOne = "evidence-of-one", "one snapshot is enough to say cancelled";
            StrangersSwept = "strangers-swept", "a narrow kill takes back orders that others placed";
            NeverReopened = "never-reopened", "a session that a kill closed stays closed after the arm";
        }
        "actors/enforce/exits.rs" {
            ExitAgain = "exit-again", "a flatten sends its exit again and again";
        }
        "actors/guardian/" {
            LossRuleSilent = "loss-rule-silent", "the rule on the day's loss never finds anything";
            OneLookTrips = "one-look-trips", "one bad price is enough to raise a kill";
            StormRuleSilent = "storm-rule-silent", "the rule on refusals never finds anything";
        }
        "actors/market/nbbo.rs" {
            FirstExchangeOnly = "first-exchange-only", "the best price is that of the first exchange";
        }
        "actors/agent/cx.rs" {
            LegTakesName = "leg-takes-name", "the second leg of a list has the name of the first";
            EpochKept = "epoch-kept", "an agent's numbers begin again after a restart";
        }
        "broker/sandbox.rs" {
            PartIsWhole = "part-is-whole", "a part of a snapshot is taken for all of it";
        }
        "desk/gate.rs" {
            NoReserve = "no-reserve", "no part of the message budget is kept for cancels";
            CancelsUncounted = "cancels-uncounted", "cancels do not count towards the message budget";
            ApprovalKeeps = "approval-keeps", "an approval never gets too old";
            ParentOutgrown = "parent-outgrown", "the parts of an order may come to more than the whole";
        }
        "desk/mod.rs" {
            ReportUnjournaled = "report-unjournaled", "what a broker says is not journaled";
            KillUnjournaled = "kill-unjournaled", "a kill is not journaled";
            DenialUnjournaled = "denial-unjournaled", "a refusal is not journaled";
            LostDecisions = "lost-decisions", "decisions that a torn journal lacks are not put at the head of the next";
            ExitUnsynced = "exit-unsynced", "the exit of a flatten is not synced before it goes";
            KillOffBoard = "kill-off-board", "a kill of the guardian does not reach the board";
        }
        "journal/log.rs" {
            SentUnwritten = "sent-unwritten", "an order leaves while its record waits in the buffer";
            DiskErrorLost = "disk-error-lost", "a write that failed is proof of a record";
        }
        "kill/board.rs" {
            BoardForgetsAccount = "board-forgets-account", "the kill of an account does not reach the wire";
            BoardForgetsSymbol = "board-forgets-symbol", "the kill of an instrument does not reach the wire";
            ReduceOnlyOpens = "reduce-only-opens", "reduce-only lets orders open";
            BlockReduces = "block-reduces", "a block lets orders reduce";
            TripOverwrites = "trip-overwrites", "a lower trip takes the place of a higher one";
        }
        "kill/latch.rs" {
            LatchUnsaved = "latch-unsaved", "a trip stands in memory, not in the file";
            FirstTripStays = "first-trip-stays", "a trip that rises is not written again";
        }
        "kill/arm.rs" {
            CoolOffIgnored = "cool-off-ignored", "an automatic trip is armed before it has cooled off";
        }
    }

    /// Number of the bug that is on, from 1; 0 for none.
    static ON: AtomicU16 = AtomicU16::new(0);

    /// Whether this bug is on.
    #[inline]
    pub fn is_on(bug: Bug) -> bool {
        ON.load(Ordering::Relaxed) == bug as u16 + 1
    }

    /// Has this bug on and no other, or none.
    pub fn switch(bug: Option<Bug>) {
        ON.store(bug.map_or(0, |bug| bug as u16 + 1), Ordering::Relaxed);
    }
}
