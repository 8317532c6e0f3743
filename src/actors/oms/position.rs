//! Positions and profit, exact: average cost, with cash as the cross-check (INV-12).

use crate::types::{Notional, Price, Qty, Side};
use serde::{Deserialize, Serialize};

/// A position of one agent on one account in one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Signed quantity.
    pub qty: Qty,
    /// What the open quantity cost; negative for a short position (what it brought in).
    pub cost: Notional,
    /// Profit of closed quantity, fees not included.
    pub realised: Notional,
    /// Fees paid, rebates negative.
    pub fees: Notional,
    /// Value traded on both sides.
    pub turnover: Notional,
    /// Number of fills.
    pub fills: u64,
}

impl Position {
    /// Books a fill.
    ///
    /// The closed part takes its share of the cost, rounded toward zero to 1e-18; the rest stays, so
    /// that realised profit plus remaining cost always add up to what was paid and received.
    pub fn book(&mut self, side: Side, qty: Qty, price: Price, multiplier: u32, fee: Notional) {
        let value = price.notional(qty, multiplier);
        let signed = side.signed(qty);
        let flow = if side == Side::Buy { value } else { -value };
        if self.qty.is_zero() || self.qty.is_positive() == signed.is_positive() {
            self.cost += flow;
        } else if signed.abs() <= self.qty.abs() {
            let closed =
                self.cost.checked_ratio(qty.raw(), self.qty.abs().raw()).unwrap_or(self.cost);
            self.realised -= flow + closed;
            self.cost -= closed;
        } else {
            // Closes all of it and opens the rest on the other side.
            let closing = self.qty.abs();
            let closing_flow = price.notional(closing, multiplier);
            let closing_flow = if side == Side::Buy { closing_flow } else { -closing_flow };
            self.realised -= closing_flow + self.cost;
            self.cost = planted!(FlipKeepsCost, flow - closing_flow, flow);
        }
        self.qty += signed;
        self.fees += fee;
        self.turnover += value;
        self.fills += 1;
    }

    /// A fill of this value and what took it back again count as no trade.
    pub fn forget(&mut self, value: Notional) {
        self.turnover = self.turnover - value - value;
        self.fills = self.fills.saturating_sub(2);
    }

    /// Average price of the open quantity; zero when flat.
    pub fn avg_px(&self, multiplier: u32) -> Price {
        self.cost.per(self.qty, multiplier)
    }

    /// Profit of the open quantity at `mark`.
    pub fn unrealised(&self, mark: Price, multiplier: u32) -> Notional {
        mark.notional(self.qty, multiplier).saturating_sub(self.cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn textbook_round_trip() {
        let mut p = Position::default();
        p.book(Side::Buy, Qty::whole(100), price("10"), 1, "1".parse().unwrap());
        p.book(Side::Buy, Qty::whole(100), price("12"), 1, Notional::ZERO);
        assert_eq!(p.avg_px(1), price("11"));
        p.book(Side::Sell, Qty::whole(50), price("13"), 1, Notional::ZERO);
        assert_eq!(p.realised, Notional::whole(100));
        assert_eq!(p.unrealised(price("10"), 1), Notional::whole(-150));
        p.book(Side::Sell, Qty::whole(250), price("9"), 1, Notional::ZERO);
        assert_eq!(p.qty, Qty::whole(-100));
        assert_eq!(p.realised, Notional::whole(100 - 300));
        assert_eq!(p.avg_px(1), price("9"));
    }

    proptest! {
        #[test]
        fn profit_equals_cash_plus_value(fills in prop::collection::vec((any::<bool>(), 1i64..1_000_000_000_000, 1i64..1_000_000_000_000), 1..50), mark in 1i64..1_000_000_000_000, multiplier in 1u32..100) {
            let mut position = Position::default();
            let mut cash = Notional::ZERO;
            for (buy, qty, px) in fills {
                let (side, qty, px) = (if buy { Side::Buy } else { Side::Sell }, Qty::from_raw(qty), Price::from_raw(px));
                position.book(side, qty, px, multiplier, Notional::ZERO);
                let value = px.notional(qty, multiplier);
                cash += if buy { -value } else { value };
                if position.qty.is_zero() {
                    prop_assert!(position.cost.is_zero());
                }
            }
            let mark = Price::from_raw(mark);
            prop_assert_eq!(
                position.realised + position.unrealised(mark, multiplier),
                cash + mark.notional(position.qty, multiplier)
            );
        }
    }
}
