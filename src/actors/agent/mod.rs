//! Agents: strategies as deterministic state machines. [`Agent`] is all that an author writes,
//! [`AgentCx`] all that an agent can know or do.

mod cx;
mod host;

pub use cx::{AgentCx, OpenOrder, Ticket};
pub use host::{Host, REQUEST_BUDGET};

use super::market::Touch;
use super::oms::OrderUpdate;
use super::saved::Saved;
use crate::msg::{Bar, BookLevel, Trade};
use crate::types::InstrumentId;

/// An agent's own name for one of its timers.
pub type TimerId = u32;

/// A strategy. All methods but none are required; each is called on the agent's lane, one at a time.
///
/// Rules that replay depends on: no clock but [`AgentCx::now`], no randomness but
/// [`AgentCx::random`], no files, sockets or threads. A panic takes the agent out and cancels its
/// orders; the others go on.
pub trait Agent: Send {
    /// The session begins: the agent's position and working orders are known.
    fn on_start(&mut self, _cx: &mut AgentCx<'_>) {}
    /// The best bid and ask may have changed: called for every quote or book update of a subscribed
    /// instrument.
    fn on_quote(&mut self, _cx: &mut AgentCx<'_>, _instrument: InstrumentId, _touch: &Touch) {}
    /// A trade printed.
    fn on_trade(&mut self, _cx: &mut AgentCx<'_>, _trade: &Trade) {}
    /// A bar ended.
    fn on_bar(&mut self, _cx: &mut AgentCx<'_>, _bar: &Bar) {}
    /// A price level changed.
    fn on_level(&mut self, _cx: &mut AgentCx<'_>, _level: &BookLevel) {}
    /// Trading was halted or resumed, or records are missing: ask [`AgentCx::market_state`].
    fn on_market_state(&mut self, _cx: &mut AgentCx<'_>, _instrument: InstrumentId) {}
    /// Something happened to one of the agent's orders.
    fn on_order(&mut self, _cx: &mut AgentCx<'_>, _update: &OrderUpdate) {}
    /// Everything that it has learnt since it was built, for an agent that goes on where it stood
    /// after a restart from a snapshot. Without it, it begins anew there: from its position, its
    /// working orders and a warm-up.
    fn state(&self) -> Option<&dyn Saved> {
        None
    }
    /// The same, to load it.
    fn state_mut(&mut self) -> Option<&mut dyn Saved> {
        None
    }
    /// A timer is due.
    fn on_timer(&mut self, _cx: &mut AgentCx<'_>, _timer: TimerId) {}
}
