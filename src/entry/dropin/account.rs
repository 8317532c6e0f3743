//! What a program's agent has: the account as the wire shows it, positions, and closing them.

use super::backend::{DropIn, Program};
use crate::alpaca::{
    Account, ApiError, Asset, ClosePosition, Number, Order, OrderType, Position, PositionSide,
    PostOrder, SideWord, Tif, Time, Uuid,
};
use crate::desk::Desk;
use crate::msg::AgentState;
use crate::types::calendar::Zone;
use crate::types::{InstrumentId, KillLevel, Notional, Price, Qty, Scope, Side, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// A position of an agent.
#[derive(Debug, Clone, Copy)]
struct Held {
    instrument: InstrumentId,
    qty: Qty,
    /// Of it, units that open orders would close.
    held: Qty,
    cost: Notional,
    mark: Option<Price>,
}

/// What the books say of a program's account and agent, in the account currency.
#[derive(Debug, Clone, Copy, Default)]
struct Money {
    capital: Notional,
    pnl: Notional,
    /// Of the whole account, whoever trades on it.
    cash: Option<Notional>,
    open_cost: Option<Notional>,
    long: Notional,
    short: Notional,
    at: Timestamp,
    running: bool,
}

fn held(desk: &Desk, program: &Program) -> Vec<Held> {
    let Some(core) = &desk.lane.core else { return Vec::new() };
    let books = &core.oms.books;
    let own = books.positions().filter(|((account, agent, _), position)| {
        (*account, *agent) == (program.account, program.id) && !position.qty.is_zero()
    });
    own.map(|((_, agent, instrument), position)| {
        let exposure = books.agent(agent, instrument);
        let closing =
            if position.qty.is_negative() { exposure.open_buy } else { exposure.open_sell };
        Held {
            instrument,
            qty: position.qty,
            held: closing,
            cost: position.cost,
            mark: desk.lane.market.mark(instrument),
        }
    })
    .collect()
}

fn money(desk: &Desk, at: Timestamp, program: &Program, capital: Notional) -> Money {
    let Some(core) = &desk.lane.core else { return Money::default() };
    let (books, market) = (&core.oms.books, &desk.lane.market);
    let mut money = Money {
        capital,
        pnl: books.agent_pnl(program.id, market),
        cash: books.cash(program.account, market),
        open_cost: books.open_cost(program.account, market),
        at,
        running: core.risk.halts.agent(program.id) == AgentState::Running,
        ..Money::default()
    };
    for own in held(desk, program) {
        let multiplier = books.instruments().get(own.instrument).multiplier;
        let value = own.mark.map_or(own.cost, |mark| mark.notional(own.qty, multiplier));
        let value = books.fx().convert(own.instrument, value, market).unwrap_or(value);
        let side = if own.qty.is_negative() { &mut money.short } else { &mut money.long };
        *side = side.saturating_add(value);
    }
    money
}

/// `part` of `whole`, as a fraction.
fn share(part: Option<Notional>, whole: Decimal) -> Option<Number> {
    let share = part?.to_decimal().checked_div(whole.abs())?;
    Some(Number(share.round_dp(10)))
}

impl DropIn {
    /// `GET /v2/account`. See docs/alpaca-entry.md for what each field means here.
    pub(super) fn show_account(&self, program: &Program) -> Result<Account, ApiError> {
        let topology = self.handle.topology();
        let capital = topology.accounts[program.account.index()].capital;
        let asked = program.clone();
        let money = self.handle.call(move |desk, at, _| money(desk, at, &asked, capital))?;
        let round = |amount: Notional| Number(amount.to_decimal().round_dp(4));
        let zero = Number::default();
        let equity = money.capital.saturating_add(money.pnl);
        let position = money.long.saturating_add(money.short);
        // What buy orders may still cost: the cash of the account less what open ones may take.
        let power = money.cash.unwrap_or_default();
        let power = power.saturating_sub(money.open_cost.unwrap_or_default()).max(Notional::ZERO);
        let broker = topology.broker_of(program.account);
        let scopes = [
            Scope::Global,
            Scope::Broker(broker),
            Scope::Account(program.account),
            Scope::Agent(program.id),
        ];
        let board = self.handle.board();
        let blocked = scopes.iter().any(|scope| board.level(*scope) >= KillLevel::Block);
        Ok(Account {
            id: Uuid::of_text("agent", &program.name),
            account_number: topology.names.account(program.account).to_owned(),
            status: "ACTIVE".to_owned(),
            crypto_status: "ACTIVE".to_owned(),
            currency: topology.currency.as_str().to_owned(),
            buying_power: round(power),
            regt_buying_power: round(power),
            daytrading_buying_power: zero,
            non_marginable_buying_power: round(power),
            options_buying_power: zero,
            effective_buying_power: round(power),
            bod_dtbp: zero,
            cash: round(equity.saturating_sub(position)),
            accrued_fees: zero,
            pending_transfer_in: zero,
            pending_transfer_out: zero,
            portfolio_value: round(equity),
            pattern_day_trader: false,
            trading_blocked: blocked || !money.running,
            transfers_blocked: true,
            account_blocked: false,
            created_at: Time(Timestamp::ZERO),
            trade_suspended_by_user: false,
            multiplier: Number(Decimal::ONE),
            shorting_enabled: true,
            equity: round(equity),
            last_equity: round(money.capital),
            long_market_value: round(money.long),
            short_market_value: round(money.short),
            position_market_value: round(position),
            initial_margin: zero,
            maintenance_margin: zero,
            last_maintenance_margin: zero,
            sma: zero,
            daytrade_count: 0,
            balance_asof: Zone::NewYork.date(money.at).prev().to_string(),
            crypto_tier: 1,
            options_approved_level: 0,
            options_trading_level: 0,
            intraday_adjustments: zero,
            pending_reg_taf_fees: zero,
        })
    }

    /// An instrument as an asset that this program may trade, or not.
    pub(super) fn asset(&self, program: &Program, asset: &Asset) -> Asset {
        let id = self.names().instruments().find(&asset.symbol);
        let Some(id) = id else { return asset.clone() };
        let instrument = self.names().instruments().get(id);
        Asset {
            tradable: program.symbols.contains(&id),
            fractionable: instrument.lot < Qty::whole(1),
            min_order_size: Some(instrument.lot.into()),
            min_trade_increment: Some(instrument.lot.into()),
            price_increment: Some(instrument.tick.into()),
            ..asset.clone()
        }
    }

    fn held(&self, program: &Program) -> Result<Vec<Held>, ApiError> {
        let asked = program.clone();
        Ok(self.handle.call(move |desk, _, _| held(desk, &asked))?)
    }

    fn find_position(&self, program: &Program, symbol: &str) -> Result<Held, ApiError> {
        let asset = self.assets.find(symbol);
        let asset =
            asset.ok_or_else(|| ApiError::not_found(format!("symbol not found: {symbol}")))?;
        let mut held = self.held(program)?.into_iter();
        let missing = || ApiError::not_found("position does not exist");
        held.find(|own| own.instrument == asset).ok_or_else(missing)
    }

    /// `GET /v2/positions`.
    pub(super) fn list_positions(&self, program: &Program) -> Result<Vec<Position>, ApiError> {
        Ok(self.held(program)?.iter().map(|own| self.position(own)).collect())
    }

    /// `GET /v2/positions/{symbol}`.
    pub(super) fn show_position(
        &self,
        program: &Program,
        symbol: &str,
    ) -> Result<Position, ApiError> {
        self.find_position(program, symbol).map(|own| self.position(&own))
    }

    fn position(&self, own: &Held) -> Position {
        let asset = self.assets.get(own.instrument);
        let multiplier = self.names().instruments().get(own.instrument).multiplier;
        let value = own.mark.map(|mark| mark.notional(own.qty, multiplier));
        let gain = value.map(|value| value.saturating_sub(own.cost));
        let part = share(gain, own.cost.to_decimal());
        let free = (own.qty.abs() - own.held).max(Qty::ZERO);
        Position {
            asset_id: asset.id,
            symbol: asset.symbol.replace('/', ""),
            exchange: asset.exchange.clone(),
            asset_class: asset.class.clone(),
            asset_marginable: asset.marginable,
            qty: own.qty.into(),
            qty_available: if own.qty.is_negative() { -free } else { free }.into(),
            avg_entry_price: own.cost.per(own.qty, multiplier).into(),
            side: if own.qty.is_negative() { PositionSide::Short } else { PositionSide::Long },
            market_value: value.map(Number::from),
            cost_basis: own.cost.into(),
            unrealized_pl: gain.map(Number::from),
            unrealized_plpc: part,
            // The books know no day for a position: since it was opened.
            unrealized_intraday_pl: gain.map(Number::from),
            unrealized_intraday_plpc: part,
            current_price: own.mark.map(Number::from),
            lastday_price: None,
            change_today: None,
        }
    }

    /// Closes a position, or a part of it, with a market order.
    pub(super) fn close_position(
        &mut self,
        program: &Program,
        symbol: &str,
        close: &ClosePosition,
    ) -> Result<Order, ApiError> {
        let own = self.find_position(program, symbol)?;
        let all = own.qty.abs().to_decimal();
        let lot = self.names().instruments().get(own.instrument).lot.to_decimal();
        let units = match (close.qty, close.percentage) {
            (Some(_), Some(_)) => {
                return Err(ApiError::unprocessable("only one of qty or percentage is accepted"));
            }
            (Some(Number(units)), None) => units,
            (None, Some(Number(percent))) => {
                if percent <= Decimal::ZERO || percent > Decimal::ONE_HUNDRED {
                    return Err(ApiError::invalid("percentage must be between 0 and 100"));
                }
                let part = all * percent / Decimal::ONE_HUNDRED;
                // In whole lots.
                (part / lot).trunc() * lot
            }
            (None, None) => all,
        };
        let free = (own.qty.abs() - own.held).max(Qty::ZERO);
        let symbol = self.assets.get(own.instrument).symbol.clone();
        if units > free.to_decimal() {
            return Err(ApiError::forbidden(format!(
                "insufficient qty available for order (requested: {}, available: {free})",
                units.normalize()
            ))
            .with("symbol", symbol)
            .with("existing_qty", own.qty.to_string())
            .with("held_for_orders", own.held.to_string())
            .with("available", free.to_string()));
        }
        let side = if own.qty.is_negative() { Side::Buy } else { Side::Sell };
        let crypto = self.assets.is_crypto(own.instrument);
        let post = PostOrder {
            symbol: Some(symbol),
            qty: Some(Number(units)),
            side: Some(if side == Side::Buy { SideWord::Buy } else { SideWord::Sell }),
            kind: Some(OrderType::Market),
            time_in_force: Some(if crypto { Tif::Gtc } else { Tif::Day }),
            ..PostOrder::default()
        };
        self.post(program, &post)
    }

    /// Closes all positions: a row for each.
    pub(super) fn close_positions(
        &mut self,
        program: &Program,
        cancel_orders: bool,
    ) -> Result<Vec<Value>, ApiError> {
        if cancel_orders {
            self.cancel_all(program)?;
        }
        let mut rows = Vec::new();
        for own in self.held(program)? {
            let symbol = self.assets.get(own.instrument).symbol.clone();
            let name = symbol.replace('/', "");
            let close = ClosePosition::default();
            rows.push(match self.close_position(program, &symbol, &close) {
                Ok(order) => json!({"symbol": name, "status": 200, "body": order}),
                Err(error) => {
                    json!({"symbol": name, "status": error.status, "body": error.body()})
                }
            });
        }
        Ok(rows)
    }
}
