//! What a replay brought, in figures. Statistics may be floats; money stays exact.
//!
//! The equity curve has one point a trading day (`[session] day_start`), the profit at its end. With `r[i] = v[i+1]/v[i] - 1`:
//! Sharpe = mean(r) / population deviation(r) × √252, CAGR = (v[n]/v[0])^(365.25/days) − 1, drawdown
//! from the running peak. `v` starts at the accounts' capital.

use crate::desk::Desk;
use crate::types::{AccountId, AgentId, Date, DayStart, Notional, Side, Timestamp};
use crate::wiring::Topology;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days below which a growth rate by the year means nothing.
const CAGR_DAYS: u64 = 30;

/// Collects the equity curve while a replay runs.
#[derive(Debug)]
pub struct Report {
    accounts: usize,
    day_start: DayStart,
    /// The day under way.
    day: Date,
    day_end: Timestamp,
    points: Vec<(Date, Notional)>,
}

/// Figures of a run. What cannot be computed is null, never infinite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Profit over capital, in percent.
    pub return_pct: Option<f64>,
    /// See the module; null below two days.
    pub sharpe: Option<f64>,
    /// See the module; null below 30 days.
    pub cagr_pct: Option<f64>,
    /// Largest fall from a peak in percent of the peak; null below two days.
    pub max_drawdown_pct: Option<f64>,
    /// Value traded, both sides.
    pub turnover: Notional,
    /// What fills cost against the middle price when their order was sent; negative is a gain.
    pub slippage: Notional,
    /// Fees.
    pub fees: Notional,
    /// Days with data.
    pub days: u64,
    /// By agent.
    pub agents: BTreeMap<String, AgentMetrics>,
}

/// Figures of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct AgentMetrics {
    /// Profit, fees taken off.
    pub pnl: Notional,
    /// Value traded.
    pub turnover: Notional,
    /// Against the middle price at sending.
    pub slippage: Notional,
    /// Fees.
    pub fees: Notional,
    /// Executions.
    pub fills: u64,
}

impl Report {
    /// For so many accounts, with days that begin by this rule.
    pub const fn new(accounts: usize, day_start: DayStart) -> Self {
        let (day, day_end) = (Date::from_days(0), Timestamp::ZERO);
        Self { accounts, day_start, day, day_end, points: Vec::new() }
    }

    /// Call it before each delivery: a new day closes the one before.
    #[inline]
    pub fn before(&mut self, at: Timestamp, desk: &Desk) {
        if at >= self.day_end {
            if self.day_end > Timestamp::ZERO {
                self.close(desk);
            }
            self.day = self.day_start.date(at);
            self.day_end = self.day_start.begin(self.day.next());
        }
    }

    /// Call it once at the end.
    pub fn end(&mut self, desk: &Desk) {
        if self.day_end > Timestamp::ZERO {
            self.close(desk);
        }
    }

    fn close(&mut self, desk: &Desk) {
        let Some(core) = &desk.lane.core else { return };
        let pnl = (0..self.accounts)
            .filter_map(|at| core.oms.books.pnl(AccountId(at as u16), &desk.lane.market))
            .sum();
        self.points.push((self.day, pnl));
    }

    /// The figures.
    pub fn metrics(&self, desk: &Desk, topology: &Topology) -> Metrics {
        let capital: Notional = topology.accounts.iter().map(|account| account.capital).sum();
        let start = capital.to_f64();
        let curve: Vec<f64> = std::iter::once(start)
            .chain(self.points.iter().map(|(_, pnl)| start + pnl.to_f64()))
            .collect();
        let days = match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) => u64::from(last.0.days() - first.0.days()) + 1,
            _ => 0,
        };
        let enough = self.points.len() >= 2 && start > 0.0;
        let last = curve.last().copied().unwrap_or(start);
        let agents = agents(desk, topology);
        let sum = |of: fn(&AgentMetrics) -> Notional| agents.values().map(of).sum();
        Metrics {
            return_pct: (start > 0.0).then(|| (last / start - 1.0) * 100.0),
            sharpe: enough.then(|| sharpe(&curve)).flatten(),
            cagr_pct: (enough && days >= CAGR_DAYS && last > 0.0)
                .then(|| ((last / start).powf(365.25 / days as f64) - 1.0) * 100.0),
            max_drawdown_pct: enough.then(|| max_drawdown(&curve) * 100.0),
            turnover: sum(|agent| agent.turnover),
            slippage: sum(|agent| agent.slippage),
            fees: sum(|agent| agent.fees),
            days: self.points.len() as u64,
            agents,
        }
    }
}

fn sharpe(curve: &[f64]) -> Option<f64> {
    let returns: Vec<f64> = curve.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    let count = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / count;
    let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    (deviation > 1e-14).then(|| mean / deviation * 252f64.sqrt())
}

fn max_drawdown(curve: &[f64]) -> f64 {
    let mut peak = f64::MIN;
    curve.iter().fold(0.0f64, |worst, &value| {
        peak = peak.max(value);
        worst.max(if peak > 0.0 { (peak - value) / peak } else { 0.0 })
    })
}

fn agents(desk: &Desk, topology: &Topology) -> BTreeMap<String, AgentMetrics> {
    let mut rows: BTreeMap<String, AgentMetrics> = BTreeMap::new();
    let Some(core) = &desk.lane.core else { return rows };
    let instruments = topology.names.instruments();
    for ((_, agent, instrument), position) in core.oms.books.positions() {
        let row = rows.entry(topology.names.agent(agent).to_owned()).or_default();
        let books = &core.oms.books;
        row.pnl += books.position_pnl(instrument, position, &desk.lane.market);
        row.turnover += position.turnover;
        row.fees += position.fees;
        row.fills += position.fills;
    }
    for fill in core.oms.fills() {
        let order = &core.oms.orders()[fill.order as usize];
        let Some(arrival) = fill.arrival else { continue };
        if order.route.agent == AgentId::EXTERNAL {
            continue;
        }
        let multiplier = instruments.get(order.route.instrument).multiplier;
        let paid = fill.price.notional(fill.qty, multiplier);
        let fair = arrival.notional(fill.qty, multiplier);
        let cost = if order.terms.side == Side::Buy { paid - fair } else { fair - paid };
        rows.entry(topology.names.agent(order.route.agent).to_owned()).or_default().slippage +=
            cost;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_known_curve() {
        let curve = [100.0, 110.0, 99.0, 121.0];
        assert!((max_drawdown(&curve) - 0.1).abs() < 1e-12);
        let returns: [f64; 3] = [0.1, -0.1, 121.0 / 99.0 - 1.0];
        let mean = returns.iter().sum::<f64>() / 3.0;
        let deviation = (returns.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / 3.0).sqrt();
        let expected = mean / deviation * 252f64.sqrt();
        assert!((sharpe(&curve).unwrap() - expected).abs() < 1e-9);
        assert_eq!(sharpe(&[100.0, 100.0, 100.0]), None, "no deviation, no ratio");
    }
}
