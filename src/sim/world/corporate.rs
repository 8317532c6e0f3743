//! Splits (F39): the operator tells the gateway, and each broker does it at once or some time later.
//!
//! The market of the share is closed meanwhile, as it is overnight. A gateway that lost its last records
//! would learn of trades before the split after it, in units of before: such sessions have none.

use super::World;
use crate::msg::{ActionKind, Control, CorporateAction};
use crate::sim::broker::SimBroker;
use crate::sim::fault::Fault;
use crate::types::{AccountId, BrokerId, InstrumentId, Nanos, Qty};

/// Splits of a session.
#[derive(Debug, Default)]
pub(super) struct Splits {
    /// One is to come, as soon as every fill of a share is told.
    wanted: Option<u64>,
    /// Those that the operator gave.
    given: Vec<CorporateAction>,
}

impl World {
    pub(super) fn want_split(&mut self, place: u64) {
        let forgets =
            |fault| matches!(fault, Fault::PowerLoss | Fault::DiskFull | Fault::DiskError);
        if !self.plan.faults.iter().any(|injection| forgets(injection.fault)) {
            self.splits.wanted = Some(place);
        }
    }

    /// Splits a share that somebody holds, and whose every fill is told.
    pub(super) fn try_split(&mut self) {
        let Some(place) = self.splits.wanted else { return };
        let count = self.process.topology().names.instruments().len() as u64;
        let ids = (0..count).map(|number| InstrumentId(((place + number) % count) as u16));
        let Some(instrument) = ids.into_iter().find(|&id| self.is_told(id)) else { return };
        self.splits.wanted = None;
        *self.outcome.faults.entry(Fault::CorporateAction).or_default() += 1;
        let factor = 2 + (place >> 8) % 2;
        for (number, broker) in self.brokers.iter_mut().enumerate() {
            let late = (place >> (16 + number)) % 2 * self.dice.between(1, 20_000);
            broker.split(self.now, instrument, factor as i64, Nanos::from_millis(late));
        }
        self.market.split(instrument, factor as i64);
        let core = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref());
        let on = core.map(|core| core.oms.books.date()).unwrap_or_default();
        let kind = ActionKind::Split { numerator: factor as u32, denominator: 1 };
        self.splits.given.push(CorporateAction { instrument, on, kind });
    }

    /// The operator gives what the gateway does not know, also after it was killed meanwhile, as soon
    /// as it takes it.
    pub(super) fn tell_splits(&mut self) {
        for action in self.splits.given.clone() {
            let core = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref());
            if core.is_some_and(|core| core.oms.check_action(&action).is_ok()) {
                self.watch.shown.split(action.instrument);
                self.control(Control::CorporateAction(action));
            }
        }
    }

    /// Books and ledgers agree on it, somebody holds it, it was not split before.
    fn is_told(&self, instrument: InstrumentId) -> bool {
        let core = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref());
        let Some(core) = core.filter(|_| self.stopped.is_none()) else { return false };
        let known = core.oms.links().iter().all(|link| link.reconciled);
        let split = self.splits.given.iter().any(|action| action.instrument == instrument);
        if !known || split || self.brokers.iter().any(SimBroker::is_closed) {
            return false;
        }
        let mut held = false;
        for (number, broker) in self.brokers.iter().enumerate() {
            let accounts = self.process.topology().accounts_of(BrokerId(number as u8));
            for (place, (account, _)) in accounts.iter().enumerate() {
                let key = (AccountId(place as u16), instrument);
                let there = broker.ledger.positions.get(&key).copied().unwrap_or(Qty::ZERO);
                if there != core.oms.books.account(*account, instrument).position {
                    return false;
                }
                held |= !there.is_zero();
            }
        }
        held
    }
}
