//! What an order needs of its account: no order of its own against it, units to sell, money to buy.

use super::floor::AlpacaVenue;
use super::record::Record;
use crate::alpaca::rules::{self, Asked};
use crate::alpaca::{ApiError, Number, OrderClass};
use crate::msg::OrderTerms;
use crate::types::{AccountId, InstrumentId, Notional, OrdType, OrderQty, Price, Qty, Side};

/// Least value of an order of coins, dollars.
const MIN_CRYPTO: Notional = Notional::whole(10);

impl AlpacaVenue {
    /// Whether the account may send this order at all.
    pub(super) fn check_account(
        &self,
        account: AccountId,
        asset: InstrumentId,
        asked: &Asked,
    ) -> Result<(), ApiError> {
        let config = &self.member(account).state.config;
        if config.suspend_trade {
            return Err(ApiError::forbidden("new orders are rejected by user request"));
        }
        let fractional = match asked.terms.qty {
            OrderQty::Cash(_) => true,
            OrderQty::Units(qty) => !rules::is_whole(qty),
        };
        if fractional && !config.fractional_trading && !self.assets.is_crypto(asset) {
            return Err(ApiError::forbidden("fractional trading is disabled for this account"));
        }
        let (bid, ask) = self.exchange.touch(asset);
        let market = matches!(asked.terms.ord_type, OrdType::Market);
        if market && bid.is_none() && ask.is_none() && self.tape.last(asset).is_none() {
            let symbol = &self.assets.get(asset).symbol;
            return Err(ApiError::forbidden(format!(
                "order has been rejected due to no available quote for symbol {symbol}"
            )));
        }
        Ok(())
    }

    /// Orders of one account must not be able to trade with each other.
    pub(super) fn check_wash(
        &self,
        account: AccountId,
        asset: InstrumentId,
        terms: &OrderTerms,
        class: &OrderClass,
    ) -> Result<(), ApiError> {
        let exempt = |class: &OrderClass, terms: &OrderTerms| {
            *class != OrderClass::Plain || matches!(terms.ord_type, OrdType::TrailingStop { .. })
        };
        if exempt(class, terms) {
            return Ok(());
        }
        let against = |record: &&Record| {
            record.account == account
                && record.asset == asset
                && record.counts()
                && record.terms.side != terms.side
                && !exempt(&record.class, &record.terms)
        };
        for record in self.records.open().map(|(_, record)| record).filter(against) {
            let limits = (terms.ord_type.limit_price(), record.terms.ord_type.limit_price());
            let reason = match limits {
                (Some(own), Some(other)) if terms.side.within(other, own) => {
                    "opposite side limit order exists"
                }
                (Some(_), Some(_)) => continue,
                _ => "opposite side market/stop order exists",
            };
            return Err(ApiError::forbidden("potential wash trade detected. use complex orders")
                .with("existing_order_id", record.id.to_string())
                .with("reject_reason", reason));
        }
        Ok(())
    }

    /// Whether there are units to sell or money to buy with. `spared` and `freed` are what an order
    /// that this one replaces holds already.
    pub(super) fn check_cover(
        &self,
        account: AccountId,
        asset: InstrumentId,
        terms: &OrderTerms,
        spared: Qty,
        freed: Notional,
    ) -> Result<(), ApiError> {
        let position = self.exchange.accounts().position(account, asset);
        let crypto = self.assets.is_crypto(asset);
        let symbol = &self.assets.get(asset).symbol;
        let requested = self.units(terms, asset);
        if terms.side == Side::Sell && (position.is_positive() || crypto) {
            let held = self.held_for_orders(account, asset) - spared;
            let available = (position - held).max(Qty::ZERO);
            if requested <= available {
                return Ok(());
            }
            if crypto {
                let coin = symbol.split('/').next().unwrap_or(symbol);
                return Err(ApiError::forbidden(format!(
                    "insufficient balance for {coin} (requested: {requested}, available: {available})"
                )));
            }
            let related: Vec<String> = self
                .records
                .open()
                .filter(|(_, record)| record.account == account && record.asset == asset)
                .filter(|(_, record)| record.counts() && record.terms.side == Side::Sell)
                .map(|(_, record)| record.id.to_string())
                .collect();
            return Err(ApiError::forbidden(format!(
                "insufficient qty available for order (requested: {requested}, available: {available})"
            ))
            .with("symbol", symbol.clone())
            .with("existing_qty", position.to_string())
            .with("held_for_orders", held.to_string())
            .with("available", available.to_string())
            .with("related_orders", related));
        }
        if terms.side == Side::Sell {
            if self.member(account).state.config.no_shorting {
                return Err(ApiError::forbidden("account is not allowed to short"));
            }
            if !rules::is_whole(requested) || matches!(terms.qty, OrderQty::Cash(_)) {
                return Err(ApiError::unprocessable("fractional orders cannot be sold short"));
            }
        }
        let cost = self.cost(account, asset, terms, requested);
        if crypto && cost < MIN_CRYPTO {
            return Err(ApiError::forbidden("cost basis must be >= minimal amount of order 10"));
        }
        let worth = self.worth(account);
        let power = if crypto { worth.cash_power } else { worth.buying_power };
        let power = power.saturating_add(freed);
        if cost > power {
            return Err(ApiError::forbidden("insufficient buying power")
                .with("buying_power", Number::from(power).to_string())
                .with("cost_basis", Number::from(cost).to_string()));
        }
        Ok(())
    }

    /// The units of an order; those of a notional one at the price that it would take now.
    fn units(&self, terms: &OrderTerms, asset: InstrumentId) -> Qty {
        match terms.qty {
            OrderQty::Units(qty) => qty,
            OrderQty::Cash(cash) => match self.price_for(terms, asset) {
                Some(price) if price.is_positive() => {
                    let units = cash.raw() / i128::from(price.raw());
                    Qty::from_raw(i64::try_from(units).unwrap_or(i64::MAX))
                }
                _ => Qty::ZERO,
            },
        }
    }

    /// The price that an order is reckoned at: its own, else the far side of the market.
    fn price_for(&self, terms: &OrderTerms, asset: InstrumentId) -> Option<Price> {
        let own = terms.ord_type.limit_price().or(terms.ord_type.stop_price());
        let (bid, ask) = self.exchange.touch(asset);
        let far = match terms.side {
            Side::Buy => ask,
            Side::Sell => bid,
        };
        own.or(far).or_else(|| self.mark(asset))
    }

    /// What an order for so many units binds of the buying power: nothing of what closes a position.
    fn cost(
        &self,
        account: AccountId,
        asset: InstrumentId,
        terms: &OrderTerms,
        units: Qty,
    ) -> Notional {
        let position = self.exchange.accounts().position(account, asset);
        let closing = match terms.side {
            Side::Buy => (-position).max(Qty::ZERO),
            Side::Sell => position.max(Qty::ZERO),
        };
        let opening = (units - closing.min(units)).max(Qty::ZERO);
        if let OrderQty::Cash(cash) = terms.qty
            && opening == units
        {
            return cash;
        }
        let Some(mut price) = self.price_for(terms, asset) else { return Notional::ZERO };
        if terms.side == Side::Sell
            && let (_, Some(ask)) = self.exchange.touch(asset)
        {
            // A short sale is reckoned at 3 % above the ask at least.
            let above = i128::from(ask.raw()) * 103 / 100;
            price = price.max(Price::from_raw(i64::try_from(above).unwrap_or(i64::MAX)));
        }
        let multiplier = self.exchange.instruments().get(asset).multiplier;
        price.notional(opening, multiplier)
    }

    /// What an open order binds.
    pub(super) fn reserve(&self, record: &Record) -> Notional {
        let units = match record.qty {
            Some(_) => record.leaves(),
            None => self.units(&record.terms, record.asset),
        };
        self.cost(record.account, record.asset, &record.terms, units)
    }

    /// Units of a position that open orders mean to sell (of a short one: to buy back).
    pub(super) fn held_for_orders(&self, account: AccountId, asset: InstrumentId) -> Qty {
        let short = self.exchange.accounts().position(account, asset).is_negative();
        let side = if short { Side::Buy } else { Side::Sell };
        let of = |record: &&Record| {
            record.account == account
                && record.asset == asset
                && record.counts()
                && record.terms.side == side
        };
        let units = |record: &Record| match record.qty {
            Some(_) => record.leaves(),
            None => self.units(&record.terms, asset),
        };
        self.records.open().map(|(_, record)| record).filter(of).map(units).sum()
    }
}
