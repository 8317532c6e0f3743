//! What an account is worth, and how the wire shows it.

use super::floor::AlpacaVenue;
use crate::alpaca::{Account, ApiError, Number, Params, PortfolioHistory, Reply, Time};
use crate::types::{AccountId, InstrumentId, Notional, Price};
use rust_decimal::Decimal;
use serde_json::json;

/// Cash that every account begins with.
const START: Notional = Notional::whole(100_000);

/// What an account is worth at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Worth {
    pub cash: Notional,
    pub long: Notional,
    /// Zero or below.
    pub short: Notional,
    pub equity: Notional,
    pub initial_margin: Notional,
    pub maintenance_margin: Notional,
    /// What is left for orders in stocks.
    pub buying_power: Notional,
    /// What is left for orders in what cannot be bought on margin.
    pub cash_power: Notional,
}

impl AlpacaVenue {
    /// The price that a position is valued at: the last trade, else the middle of the market.
    pub(super) fn mark(&self, asset: InstrumentId) -> Option<Price> {
        let middle = || match self.exchange.touch(asset) {
            (Some(bid), Some(ask)) => Some(bid.mid(ask)),
            (bid, ask) => bid.or(ask),
        };
        self.tape.last(asset).or_else(middle)
    }

    pub(super) fn worth(&self, account: AccountId) -> Worth {
        let cash = START.saturating_add(self.exchange.accounts().cash(account));
        let mut worth = Worth { cash, ..Worth::default() };
        let mut full_margin = Notional::ZERO;
        for (_, asset, qty, cost) in
            self.exchange.accounts().positions().filter(|(of, ..)| *of == account)
        {
            let multiplier = self.exchange.instruments().get(asset).multiplier;
            let value = self.mark(asset).map_or(cost, |mark| mark.notional(qty, multiplier));
            if qty.is_negative() {
                worth.short = worth.short.saturating_add(value);
            } else {
                worth.long = worth.long.saturating_add(value);
            }
            if self.assets.is_crypto(asset) {
                full_margin = full_margin.saturating_add(value);
            }
        }
        let gross = worth.long.saturating_sub(worth.short);
        worth.equity = cash.saturating_add(worth.long).saturating_add(worth.short);
        let on_margin = gross.saturating_sub(full_margin);
        let part =
            |amount: Notional, percent: i64| amount.checked_ratio(percent, 100).unwrap_or(amount);
        let multiplier = self.multiplier(account);
        worth.initial_margin = full_margin.saturating_add(part(on_margin, 100 / multiplier));
        worth.maintenance_margin = full_margin.saturating_add(part(on_margin, 30));
        let reserved: Notional = self
            .records
            .open()
            .filter(|(_, record)| record.account == account && record.counts())
            .map(|(_, record)| self.reserve(record))
            .sum();
        let zero = Notional::ZERO;
        let free = worth.equity.saturating_sub(worth.initial_margin);
        let power = free.checked_ratio(multiplier, 1).unwrap_or(Notional::MAX);
        worth.buying_power = power.saturating_sub(reserved).max(zero);
        worth.cash_power = cash
            .saturating_add(worth.short)
            .saturating_sub(reserved)
            .max(zero)
            .min(worth.buying_power.max(zero));
        worth
    }

    fn multiplier(&self, account: AccountId) -> i64 {
        // 4 stood for day trading, whose rule is gone.
        if self.member(account).state.config.max_margin_multiplier == "1" { 1 } else { 2 }
    }

    /// `GET /v2/account`.
    pub(super) fn show_account(&self, account: AccountId) -> Account {
        let member = self.member(account);
        let worth = self.worth(account);
        let money = |amount: Notional| Number(amount.to_decimal().round_dp(4));
        let zero = Number::default();
        let power = money(worth.buying_power);
        let multiplier = Number(Decimal::from(self.multiplier(account)));
        let today = crate::types::calendar::Zone::NewYork.date(self.now);
        Account {
            id: member.id,
            account_number: member.number(),
            status: "ACTIVE".to_owned(),
            crypto_status: "ACTIVE".to_owned(),
            currency: "USD".to_owned(),
            buying_power: power,
            regt_buying_power: power,
            daytrading_buying_power: zero,
            non_marginable_buying_power: money(worth.cash_power),
            options_buying_power: zero,
            effective_buying_power: power,
            bod_dtbp: zero,
            cash: money(worth.cash),
            accrued_fees: zero,
            pending_transfer_in: zero,
            pending_transfer_out: zero,
            portfolio_value: money(worth.equity),
            pattern_day_trader: false,
            trading_blocked: false,
            transfers_blocked: false,
            account_blocked: false,
            created_at: Time(member.state.created),
            trade_suspended_by_user: member.state.config.suspend_trade,
            multiplier,
            shorting_enabled: !member.state.config.no_shorting,
            equity: money(worth.equity),
            last_equity: money(START),
            long_market_value: money(worth.long),
            short_market_value: money(worth.short),
            position_market_value: money(worth.long.saturating_add(worth.short)),
            initial_margin: money(worth.initial_margin),
            maintenance_margin: money(worth.maintenance_margin),
            last_maintenance_margin: zero,
            sma: money(worth.equity),
            daytrade_count: 0,
            balance_asof: today.prev().to_string(),
            crypto_tier: 1,
            options_approved_level: 0,
            options_trading_level: 0,
            intraday_adjustments: zero,
            pending_reg_taf_fees: zero,
        }
    }

    /// `GET /v2/account/portfolio/history`: from the account's beginning to now, as two points.
    pub(super) fn portfolio_history(
        &self,
        account: AccountId,
        query: &Params,
    ) -> Result<Reply, ApiError> {
        let timeframe = query.get("timeframe").unwrap_or("1D");
        if !["1Min", "5Min", "15Min", "1H", "1D"].contains(&timeframe) {
            return Err(ApiError::unprocessable(format!("invalid timeframe: {timeframe}")));
        }
        let member = self.member(account);
        let (start, equity) = (number(START), number(self.worth(account).equity));
        let gain = equity - start;
        let second = |at: crate::types::Timestamp| at.nanos() / 1_000_000_000;
        let created = member.state.created.min(self.now);
        let day = crate::types::calendar::Zone::NewYork.date(created);
        Ok(Reply::ok(PortfolioHistory {
            timestamp: vec![second(created), second(self.now)],
            equity: vec![start, equity],
            profit_loss: vec![0.0, gain],
            profit_loss_pct: vec![0.0, gain / start],
            base_value: start,
            base_value_asof: day.to_string(),
            timeframe: timeframe.to_owned(),
            cashflow: json!({}),
        }))
    }
}

/// Money as a JSON number: cents, and the float next to them.
fn number(amount: Notional) -> f64 {
    amount.to_decimal().round_dp(2).to_string().parse().unwrap_or(0.0)
}
