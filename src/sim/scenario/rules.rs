//! Rules that no agent of a session tries to break, told as incidents are.

use super::Incident;
use crate::types::{OrdStatus, Reason, Side};

/// All of them.
pub const RULES: &[Incident] = &[
    Incident {
        id: "R01",
        source: "owners",
        title: "an agent cancels an order of somebody else",
        tell: |s| {
            let id = s.by_operator(Side::Buy, 4, -20);
            s.run(500);
            s.cancel(id);
            s.run(500);
            s.must(s.status(id) == Some(OrdStatus::New), "it stands");
            s.must(s.denied(Reason::NotOwner) == 1, "the cancel is refused");
        },
    },
    Incident {
        id: "R02",
        source: "parents",
        title: "the parts of an order come to more than the whole",
        tell: |s| {
            for ticks in [-20, -21, -22] {
                s.part_of(5, Side::Buy, 2, ticks);
                s.run(500);
            }
            s.must(s.at_broker() == 2, "two parts of three leave");
        },
    },
    Incident {
        id: "R03",
        source: "lists",
        title: "the way out of a list is far from the market",
        tell: |s| {
            // Half of the price above it; the collar of scenarios is 30 %.
            let far = s.mark().raw() / s.world.tick(crate::types::InstrumentId(0)).raw() / 2;
            s.then(Side::Buy, 2, 0, far);
            s.run(500);
            s.must(s.at_broker() == 0, "the list is refused");
            s.must(s.denied(Reason::PriceCollar) == 1, "for the price of its leg");
        },
    },
];
