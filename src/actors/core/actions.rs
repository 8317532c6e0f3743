//! What follows from a corporate action: marks and reference prices, the hold, the questions.

use super::{Core, CoreOut};
use crate::actors::guardian::Event;
use crate::actors::market::Market;
use crate::msg::{ActionKind, HoldKind};
use crate::types::{BrokerId, Scope, Timestamp};

impl Core {
    /// Lets the corporate actions that are due take effect; whether there was one.
    pub(in crate::actors) fn act(
        &mut self,
        at: Timestamp,
        market: &mut Market,
        out: &mut CoreOut,
    ) -> bool {
        let mut acted = false;
        while let Some(action) = self.oms.act(at) {
            acted = true;
            if let ActionKind::Split { numerator, denominator } = action.kind {
                market.split(action.instrument, numerator, denominator);
                self.risk.forget_prices(action.instrument);
            }
        }
        if acted {
            self.settle_actions(at);
            self.guardian.hear(at, &Event::Changed);
            for number in 0..self.oms.links().len() {
                self.oms.ask_snapshot(at, BrokerId(number as u8), &mut out.news);
            }
            self.enforce(at, out);
        }
        acted
    }

    /// Holds the instruments whose split is not shown by every broker yet, and no others.
    pub(super) fn settle_actions(&mut self, at: Timestamp) {
        let kind = HoldKind::CorporateAction;
        let held: Vec<Scope> =
            self.risk.halts.holds().filter(|hold| hold.1 == kind).map(|hold| hold.0).collect();
        for scope in held {
            let settles = |id| scope == Scope::Symbol(id);
            if !self.oms.actions.settling().any(settles) {
                self.risk.halts.hold(at, scope, kind, false);
            }
        }
        for instrument in self.oms.actions.settling() {
            self.risk.halts.hold(at, Scope::Symbol(instrument), kind, true);
        }
    }
}
