//! Worst-case exposure: position plus everything that may still trade, in doubt or in flight
//! included. One cell per account and instrument, one per agent and instrument.

use crate::types::{InstrumentId, Qty, Side};
use serde::{Deserialize, Serialize};

/// What is held and what may still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exposure {
    /// Signed position.
    pub position: Qty,
    /// Units that open buy orders may still add.
    pub open_buy: Qty,
    /// Units that open sell orders may still take.
    pub open_sell: Qty,
}

impl Exposure {
    /// The position if all open buys fill and no sell.
    pub fn longest(&self) -> Qty {
        self.position.saturating_add(self.open_buy)
    }

    /// The position if all open sells fill and no buy.
    pub fn shortest(&self) -> Qty {
        self.position.saturating_sub(self.open_sell)
    }

    /// Size of the worst case on either side.
    pub fn worst(&self) -> Qty {
        self.longest().abs().max(self.shortest().abs())
    }

    /// This exposure with `more` units open on `side`.
    #[must_use]
    pub fn with(mut self, side: Side, more: Qty) -> Self {
        match side {
            Side::Buy => self.open_buy = self.open_buy.saturating_add(more),
            Side::Sell => self.open_sell = self.open_sell.saturating_add(more),
        }
        self
    }

    /// This exposure with `less` units open on `side`.
    #[must_use]
    pub fn without(self, side: Side, less: Qty) -> Self {
        self.with(side, -less)
    }

    /// Whether `units` more on `side` can only bring the position towards zero, whatever else
    /// fills, and never across.
    pub fn reduced_by(&self, side: Side, units: Qty) -> bool {
        let (long, short) = planted!(
            ReduceIgnoresOpen,
            (self.longest(), self.shortest()),
            (self.position, self.position),
        );
        let units = planted!(ReduceCrosses, units, Qty::from_raw(1));
        match side {
            Side::Buy => long.saturating_add(units) <= Qty::ZERO,
            Side::Sell => short.saturating_sub(units) >= Qty::ZERO,
        }
    }
}

/// Exposures by owner (account or agent) and instrument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exposures {
    instruments: usize,
    cells: Vec<Exposure>,
    /// By owner: the instruments whose cells were ever changed.
    used: Vec<Vec<InstrumentId>>,
}

impl Exposures {
    /// For so many owners and instruments.
    pub fn new(owners: usize, instruments: usize) -> Self {
        Self {
            instruments,
            cells: vec![Exposure::default(); owners * instruments],
            used: vec![Vec::new(); owners],
        }
    }

    /// One cell; nothing for an unknown owner.
    #[inline]
    pub fn get(&self, owner: usize, instrument: InstrumentId) -> Exposure {
        self.cells.get(owner * self.instruments + instrument.index()).copied().unwrap_or_default()
    }

    /// Has the cells of `own`, whatever stands in them.
    pub(super) fn fits(&self, own: &Self) -> bool {
        let used = self.used.iter().flatten().all(|id| id.index() < own.instruments);
        used && (self.instruments, self.cells.len(), self.used.len())
            == (own.instruments, own.cells.len(), own.used.len())
    }

    /// How many owners there are.
    pub fn owners(&self) -> usize {
        self.used.len()
    }

    /// Everything of an owner that was ever held or open.
    #[inline]
    pub fn of(&self, owner: usize) -> impl Iterator<Item = (InstrumentId, Exposure)> {
        let used = self.used.get(owner).map_or(&[][..], Vec::as_slice);
        used.iter().map(move |&instrument| (instrument, self.get(owner, instrument)))
    }

    pub(super) fn cell(&mut self, owner: usize, instrument: InstrumentId) -> Option<&mut Exposure> {
        let cell = self.cells.get_mut(owner * self.instruments + instrument.index())?;
        if *cell == Exposure::default()
            && let Some(used) = self.used.get_mut(owner)
            && !used.contains(&instrument)
        {
            used.push(instrument);
        }
        Some(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reducing_is_strict_and_never_crosses_zero() {
        let long = Exposure { position: Qty::whole(10), ..Exposure::default() };
        assert!(long.reduced_by(Side::Sell, Qty::whole(10)));
        assert!(!long.reduced_by(Side::Sell, Qty::whole(11)), "would flip");
        assert!(!long.reduced_by(Side::Buy, Qty::whole(1)));
        let selling = long.with(Side::Sell, Qty::whole(6));
        assert!(selling.reduced_by(Side::Sell, Qty::whole(4)));
        assert!(!selling.reduced_by(Side::Sell, Qty::whole(5)), "with the open sell it would flip");
        assert!(!Exposure::default().reduced_by(Side::Buy, Qty::whole(1)), "flat: nothing reduces");
        let short = Exposure { position: Qty::whole(-10), ..Exposure::default() };
        assert!(short.reduced_by(Side::Buy, Qty::whole(10)));
        assert!(!short.reduced_by(Side::Buy, Qty::whole(11)));
    }
}
