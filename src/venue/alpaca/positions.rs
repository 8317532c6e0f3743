//! Positions, and closing them.

use super::floor::AlpacaVenue;
use super::record::RecordId;
use crate::alpaca::{
    ApiError, ClosePosition, Number, OrderType, Position, PositionSide, PostOrder, SideWord, Tif,
};
use crate::types::{AccountId, InstrumentId, Notional, Qty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

impl AlpacaVenue {
    fn held(&self, account: AccountId) -> Vec<(InstrumentId, Qty, Notional)> {
        let all = self.exchange.accounts().positions();
        all.filter(|(of, ..)| *of == account)
            .map(|(_, asset, qty, cost)| (asset, qty, cost))
            .collect()
    }

    fn find_position(
        &self,
        account: AccountId,
        symbol: &str,
    ) -> Result<(InstrumentId, Qty, Notional), ApiError> {
        let missing = || ApiError::not_found("position does not exist");
        let Some(asset) = self.assets.find(symbol) else {
            return Err(ApiError::not_found(format!("symbol not found: {symbol}")));
        };
        self.held(account).into_iter().find(|(own, ..)| *own == asset).ok_or_else(missing)
    }

    /// `GET /v2/positions`.
    pub(super) fn list_positions(&self, account: AccountId) -> Vec<Position> {
        let held = self.held(account).into_iter();
        held.map(|(asset, qty, cost)| self.position(account, asset, qty, cost)).collect()
    }

    /// `GET /v2/positions/{symbol}`.
    pub(super) fn show_position(
        &self,
        account: AccountId,
        symbol: &str,
    ) -> Result<Position, ApiError> {
        let (asset, qty, cost) = self.find_position(account, symbol)?;
        Ok(self.position(account, asset, qty, cost))
    }

    fn position(
        &self,
        account: AccountId,
        asset: InstrumentId,
        qty: Qty,
        cost: Notional,
    ) -> Position {
        let shown = self.assets.get(asset);
        let multiplier = self.exchange.instruments().get(asset).multiplier;
        let mark = self.mark(asset);
        let value = mark.map(|mark| mark.notional(qty, multiplier));
        let gain = value.map(|value| value.saturating_sub(cost));
        let share = gain.and_then(|gain| {
            let base = cost.to_decimal().abs();
            gain.to_decimal().checked_div(base).map(|share| Number(share.round_dp(10)))
        });
        let held = self.held_for_orders(account, asset);
        let available = (qty.abs() - held).max(Qty::ZERO);
        let available = if qty.is_negative() { -available } else { available };
        let before = self.tape.day_open(asset).or(mark);
        let change = mark.zip(before).and_then(|(mark, before)| {
            let (mark, before) = (mark.to_decimal(), before.to_decimal());
            (mark - before).checked_div(before).map(|share| Number(share.round_dp(10)))
        });
        Position {
            asset_id: shown.id,
            symbol: shown.symbol.replace('/', ""),
            exchange: shown.exchange.clone(),
            asset_class: shown.class.clone(),
            asset_marginable: shown.marginable,
            qty: qty.into(),
            qty_available: available.into(),
            avg_entry_price: cost.per(qty, multiplier).into(),
            side: if qty.is_negative() { PositionSide::Short } else { PositionSide::Long },
            market_value: value.map(Number::from),
            cost_basis: cost.into(),
            unrealized_pl: gain.map(Number::from),
            unrealized_plpc: share,
            unrealized_intraday_pl: gain.map(Number::from),
            unrealized_intraday_plpc: share,
            current_price: mark.map(Number::from),
            lastday_price: before.map(Number::from),
            change_today: change,
        }
    }

    /// Closes a position, or a part of it, with a market order.
    pub(super) fn close_position(
        &mut self,
        account: AccountId,
        symbol: &str,
        close: &ClosePosition,
    ) -> Result<RecordId, ApiError> {
        let (asset, qty, _) = self.find_position(account, symbol)?;
        let all = qty.abs().to_decimal();
        let crypto = self.assets.is_crypto(asset);
        let units = match (close.qty, close.percentage) {
            (Some(_), Some(_)) => {
                return Err(ApiError::unprocessable("only one of qty or percentage is accepted"));
            }
            (Some(Number(units)), None) => units,
            (None, Some(Number(percent))) => {
                if percent <= Decimal::ZERO || percent > Decimal::ONE_HUNDRED {
                    return Err(ApiError::invalid("percentage must be between 0 and 100"));
                }
                let part = (all * percent / Decimal::ONE_HUNDRED).trunc_with_scale(9);
                // A short position is bought back in whole shares.
                if qty.is_negative() { part.trunc() } else { part }
            }
            (None, None) => all,
        };
        let available = (qty.abs() - self.held_for_orders(account, asset)).max(Qty::ZERO);
        if units > available.to_decimal() {
            let held = self.held_for_orders(account, asset);
            return Err(ApiError::forbidden(format!(
                "insufficient qty available for order (requested: {}, available: {available})",
                units.normalize()
            ))
            .with("symbol", self.assets.get(asset).symbol.clone())
            .with("existing_qty", qty.to_string())
            .with("held_for_orders", held.to_string())
            .with("available", available.to_string()));
        }
        let post = PostOrder {
            symbol: Some(self.assets.get(asset).symbol.clone()),
            qty: Some(Number(units)),
            side: Some(if qty.is_negative() { SideWord::Buy } else { SideWord::Sell }),
            kind: Some(OrderType::Market),
            time_in_force: Some(if crypto { Tif::Gtc } else { Tif::Day }),
            ..PostOrder::default()
        };
        self.submit(account, &post)
    }

    /// Closes all positions: a row for each.
    pub(super) fn close_positions(
        &mut self,
        account: AccountId,
        cancel_orders: bool,
    ) -> Vec<Value> {
        if cancel_orders {
            self.cancel_all(account);
        }
        let symbols: Vec<String> = self
            .held(account)
            .into_iter()
            .map(|(asset, ..)| self.assets.get(asset).symbol.clone())
            .collect();
        let rows = symbols.into_iter().map(|symbol| {
            let name = symbol.replace('/', "");
            match self.close_position(account, &symbol, &ClosePosition::default()) {
                Ok(id) => json!({"symbol": name, "status": 200, "body": self.show_fresh(id)}),
                Err(error) => {
                    json!({"symbol": name, "status": error.status, "body": error.body()})
                }
            }
        });
        rows.collect()
    }
}
