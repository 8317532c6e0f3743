//! An agent on a lane of its own: it speaks to the core by requests only.

use super::{Remote, World};
use crate::msg::{CancelOrder, Contingent, Input, NewOrder, OrderRequest};
use crate::types::{ClientOrderId, InstrumentId};

impl World {
    pub(super) fn remote_acts(&mut self) {
        let Some(core) = self.process.desk.as_ref().and_then(|desk| desk.lane.core.as_ref()) else {
            return;
        };
        let instruments = core.oms.books.instruments().clone();
        let Remote { dice, id, account, seq, open, .. } = &mut self.remote;
        let request = match open.last().copied() {
            Some(orig_cl_ord_id) if dice.chance(300) => {
                open.pop();
                OrderRequest::Cancel(CancelOrder::of(orig_cl_ord_id))
            }
            _ => {
                *seq += 1;
                let instrument = InstrumentId(dice.below(instruments.len() as u64) as u16);
                let mark = self.market.prices[instrument.index()];
                let terms = crate::sim::agent::random_terms(dice, &instruments, instrument, mark);
                let cl_ord_id =
                    ClientOrderId { instance: 1, epoch: self.process.epoch, agent: *id, seq: *seq };
                open.push(cl_ord_id);
                let intent = u64::from(cl_ord_id.epoch) << 32 | u64::from(cl_ord_id.seq);
                let (account, contingent) = (*account, Contingent::None);
                OrderRequest::New(NewOrder {
                    cl_ord_id,
                    account,
                    instrument,
                    intent,
                    terms,
                    contingent,
                    parent: None,
                })
            }
        };
        let from = self.remote.id;
        let wall = self.wall();
        self.call(|desk| desk.deliver(wall, &Input::Request(from, request)));
    }
}
