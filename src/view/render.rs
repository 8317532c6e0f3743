//! Border values for people: aligned columns, one idea a line.

use super::{
    Actors, AgentView, Agents, ArmChallenge, ArmResult, Bench, BenchRow, Check, Controls, Copied,
    DrillResult, Fills, FlattenResult, Heartbeat, Import, JournalCheck, JournalRecord,
    JournalRecords, KillResult, LimitResult, Limits, LimitsVersion, OrderView, Orders,
    PositionView, Positions, Status, Summary, VenueResult, VerifyResult,
};
use crate::feed::Info;
use serde::Serialize;
use std::fmt::Display;

/// A value as text for a terminal; ends with a line feed.
pub trait Render {
    /// The text.
    fn render(&self) -> String;
}

/// The word that an enum has in JSON.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Columns that line up: words to the left, the columns marked `>` to the right.
#[derive(Debug)]
pub struct Table {
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these titles.
    pub fn new(head: &[&str]) -> Self {
        let right = head.iter().map(|title| title.starts_with('>')).collect();
        let head = head.iter().map(|title| title.trim_start_matches('>').to_owned()).collect();
        Self { right, rows: vec![head] }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [&dyn Display; N]) {
        self.rows.push(cells.iter().map(ToString::to_string).collect());
    }

    /// The table, or `none` where it has no rows.
    pub fn text(&self, none: &str) -> String {
        if self.rows.len() == 1 {
            return format!("{none}\n");
        }
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, &width), &right) in row.iter().zip(&widths).zip(&self.right) {
                line.push_str(&if right {
                    format!("{cell:>width$}  ")
                } else {
                    format!("{cell:<width$}  ")
                });
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn or_dash<T: Display>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn positions(rows: &[PositionView]) -> String {
    let head =
        ["account", "agent", "symbol", ">qty", ">avg price", ">realised", ">unrealised", ">fees"];
    let mut table = Table::new(&head);
    for p in rows {
        table.row([
            &p.account,
            &p.agent,
            &p.symbol,
            &p.qty,
            &p.avg_price,
            &p.realised,
            &p.unrealised,
            &p.fees,
        ]);
    }
    table.text("no positions")
}

fn orders(rows: &[OrderView]) -> String {
    let head =
        ["id", "agent", "symbol", "side", "type", ">qty", ">filled", ">price", ">stop", "status"];
    let mut table = Table::new(&head);
    for o in rows {
        let amount = o.qty.map_or_else(|| or_dash(o.cash.as_ref()), |qty| qty.to_string());
        let (price, stop) = (or_dash(o.price.as_ref()), or_dash(o.stop_px.as_ref()));
        let status = match &o.reason {
            Some(reason) => format!("{} ({reason})", word(&o.status)),
            None => word(&o.status),
        };
        table.row([
            &o.id,
            &o.agent,
            &o.symbol,
            &word(&o.side),
            &o.ord_type,
            &amount,
            &o.filled,
            &price,
            &stop,
            &status,
        ]);
    }
    table.text("no orders")
}

impl Render for Status {
    fn render(&self) -> String {
        let ready = if self.ready { "ready" } else { "not ready" };
        let mut text = format!("mode {}, {ready}, kill {}\n", self.mode, self.kill.level);
        for trip in &self.kill.scopes {
            let (scope, level, episode) = (&trip.scope, trip.level, trip.episode);
            text += &format!(
                "  kill {scope} {level} ({}) since {}, trip {episode}: {}\n",
                trip.progress, trip.since, trip.reason
            );
        }
        for hold in &self.holds {
            text += &format!("  hold {} {} since {}\n", hold.scope, hold.reason, hold.since);
        }
        text += &format!("orders open {}, in doubt {}\n\n", self.orders_open, self.orders_in_doubt);
        text += &positions(&self.positions);
        text.push('\n');
        text + &Actors { actors: self.actors.clone() }.render()
    }
}

impl Render for Actors {
    fn render(&self) -> String {
        let mut table = Table::new(&["actor", "state", ">restarts"]);
        for actor in &self.actors {
            table.row([&actor.name, &actor.state, &actor.restarts]);
        }
        table.text("no actors")
    }
}

impl Render for Agents {
    fn render(&self) -> String {
        let head =
            ["agent", "kind", "account", "lane", "state", ">orders", ">fills", ">denied", ">pnl"];
        let mut table = Table::new(&head);
        for a in &self.agents {
            table.row([
                &a.name,
                &a.kind,
                &a.account,
                &a.lane,
                &a.state.name(),
                &a.orders,
                &a.fills,
                &a.denied,
                &a.pnl,
            ]);
        }
        table.text("no agents")
    }
}

impl Render for AgentView {
    fn render(&self) -> String {
        Agents { agents: vec![self.clone()] }.render()
    }
}

impl Render for Positions {
    fn render(&self) -> String {
        positions(&self.positions)
    }
}

impl Render for Orders {
    fn render(&self) -> String {
        orders(&self.orders)
    }
}

impl Render for OrderView {
    fn render(&self) -> String {
        orders(std::slice::from_ref(self))
    }
}

impl Render for Fills {
    fn render(&self) -> String {
        let head = ["time", "order", "agent", "symbol", "side", ">qty", ">price", ">fee"];
        let mut table = Table::new(&head);
        for f in &self.fills {
            table.row([
                &f.time,
                &f.order,
                &f.agent,
                &f.symbol,
                &word(&f.side),
                &f.qty,
                &f.price,
                &f.fee,
            ]);
        }
        table.text("no fills")
    }
}

impl Render for Limits {
    fn render(&self) -> String {
        let mut table = Table::new(&["control", "scope", "value", ">used", ">denied"]);
        for limit in &self.limits {
            let used = or_dash(limit.used.as_ref());
            table.row([&limit.control, &limit.scope, &limit.value, &used, &limit.denied]);
        }
        let mut rules = Table::new(&["rule", "scope", "value", ">used"]);
        for rule in &self.rules {
            let (scope, used) = (or_dash(rule.scope.as_ref()), or_dash(rule.used.as_ref()));
            rules.row([&rule.name, &scope, &rule.value, &used]);
        }
        let (limits, rules) = (table.text("no limits"), rules.text("no rules"));
        format!("version {}\n{limits}\n{rules}", self.version)
    }
}

impl Render for Controls {
    fn render(&self) -> String {
        let mut table = Table::new(&["id", "control", "acts", "scope", "value", ">used"]);
        for row in &self.controls {
            let (scope, used) = (or_dash(row.scope.as_ref()), or_dash(row.used.as_ref()));
            table.row([&row.id, &row.name, &row.acts, &scope, &row.value, &used]);
        }
        let source =
            if self.running { "as they stand in the running gateway" } else { "as in the file" };
        format!("{source}\n{}", table.text("no controls"))
    }
}

impl Render for LimitResult {
    fn render(&self) -> String {
        let before = or_dash(self.before.as_ref());
        let change = format!("{} {}: {before} -> {}", self.control, self.scope, self.value);
        match &self.challenge {
            None => format!("{change}\nin force, version {}\n", self.version),
            Some(ArmChallenge { challenge, expires_seconds, facts }) => format!(
                "{change}\n{}\nwithin {expires_seconds} s, if this is as it should be:\n  qtos limits confirm {challenge}\n",
                facts.join("\n")
            ),
        }
    }
}

impl Render for LimitsVersion {
    fn render(&self) -> String {
        format!("in force, version {}\n", self.version)
    }
}

impl Render for FlattenResult {
    fn render(&self) -> String {
        let mut text = format!("flatten {}\n{}", self.scope, orders(&self.orders));
        for denied in &self.denied {
            let (account, agent, symbol) = (&denied.account, &denied.agent, &denied.symbol);
            text += &format!("denied {symbol} of {agent} in {account}: {}\n", denied.reason);
        }
        text
    }
}

impl Render for Heartbeat {
    fn render(&self) -> String {
        format!("heard at {}\n", self.heard)
    }
}

impl Render for KillResult {
    fn render(&self) -> String {
        let (scope, level, episode) = (&self.scope, self.level, self.episode);
        format!("{scope} is at {level}, trip {episode}, {} orders were open\n", self.open_orders)
    }
}

impl Render for DrillResult {
    fn render(&self) -> String {
        let us = |us: Option<u64>| us.map_or("-".to_owned(), |us| format!("{us} us"));
        format!(
            "{} is at {}, trip {}: gate closed after {}, last cancel written {}, confirmed {}\n",
            self.scope,
            self.level,
            self.episode,
            us(Some(self.gate_closed_us)),
            us(self.cancel_written_us),
            us(self.confirmed_us)
        )
    }
}

impl Render for ArmChallenge {
    fn render(&self) -> String {
        let facts: String = self.facts.iter().map(|fact| format!("  {fact}\n")).collect();
        let (challenge, seconds) = (&self.challenge, self.expires_seconds);
        format!(
            "{facts}within {seconds} s, if this is as it should be:\n  qtos arm --confirm {challenge}\n"
        )
    }
}

impl Render for ArmResult {
    fn render(&self) -> String {
        format!("{} is at {}\n", self.scope, self.level)
    }
}

impl Render for Summary {
    fn render(&self) -> String {
        let mut text = format!(
            "{} events in {:.3} s ({:.0}/s)\norders {}, fills {}, denied {}, pnl {}\n\n",
            self.events,
            self.seconds,
            self.events_per_second,
            self.orders,
            self.fills,
            self.denied,
            self.pnl
        );
        let mut table = Table::new(&["agent", ">orders", ">fills", ">pnl"]);
        for (name, agent) in &self.agents {
            table.row([name, &agent.orders, &agent.fills, &agent.pnl]);
        }
        text += &table.text("no agents");
        text + &format!("\ndigest {}\n", self.digest)
    }
}

impl Render for Info {
    fn render(&self) -> String {
        let head = ["symbol", ">quotes", ">trades", ">bars", ">levels", ">gaps", ">halts"];
        let mut table = Table::new(&head);
        let all = [("all", &self.counts)];
        let each = self.symbols.iter().map(|(symbol, counts)| (symbol.as_str(), counts));
        for (symbol, c) in each.chain(all) {
            table.row([&symbol, &c.quotes, &c.trades, &c.bars, &c.levels, &c.gaps, &c.halts]);
        }
        let (first, last) = (or_dash(self.first.as_ref()), or_dash(self.last.as_ref()));
        table.text("") + &format!("\nfirst  {first}\nlast   {last}\ndigest {}\n", self.digest)
    }
}

impl Render for Copied {
    fn render(&self) -> String {
        format!("{}: {} files\n", self.to, self.files)
    }
}

impl Render for Import {
    fn render(&self) -> String {
        let (c, skipped) = (&self.counts, self.skipped);
        let (first, last) = (or_dash(self.first.as_ref()), or_dash(self.last.as_ref()));
        format!(
            "{}: {} quotes, {} trades, {} bars, {} levels, {skipped} rows passed over\n\
             first {first}\nlast  {last}\n",
            self.out, c.quotes, c.trades, c.bars, c.levels
        )
    }
}

impl Render for VenueResult {
    fn render(&self) -> String {
        format!("{} events, {} orders, until {}\n", self.events, self.orders, self.time)
    }
}

impl Render for VerifyResult {
    fn render(&self) -> String {
        let (orders, digest, expected) = (self.orders, &self.digest, &self.expected);
        let verdict = if self.identical { "identical" } else { "different" };
        let mut text =
            format!("{verdict}: {orders} orders\ndigest   {digest}\nexpected {expected}\n");
        if let Some(at) = &self.first_divergence {
            let (seq, expected, actual) = (at.seq, &at.expected, &at.actual);
            text += &format!("first at record {seq}\n  journal {expected}\n  replay  {actual}\n");
        }
        text
    }
}

impl Render for JournalCheck {
    fn render(&self) -> String {
        let verdict = if self.ok { "whole" } else { "damaged" };
        let (records, last, torn) = (self.records, self.last_seq, self.torn_bytes);
        let error = self.error.as_ref().map_or(String::new(), |error| format!("{error}\n"));
        format!("{verdict}: {records} records, the last is {last}, {torn} torn bytes\n{error}")
    }
}

impl Render for JournalRecords {
    fn render(&self) -> String {
        let line =
            |one: &JournalRecord| format!("{:>4} {:>8}  {}\n", one.file, one.seq, one.record);
        self.records.iter().map(line).collect()
    }
}

impl Render for Check {
    fn render(&self) -> String {
        format!("{}: good\n\n{}", self.file, self.topology)
    }
}

impl Render for Bench {
    fn render(&self) -> String {
        let mut table = Table::new(&[
            "measurement",
            "unit",
            ">rate",
            ">p50",
            ">p99",
            ">p99.9",
            ">p99.99",
            ">max",
        ]);
        for (name, row) in &self.0 {
            match row {
                BenchRow::Rate { unit, rate } => {
                    table.row([name, unit, &format!("{rate:.0}"), &"", &"", &"", &"", &""]);
                }
                BenchRow::Latency { unit, p50, p99, p999, p9999, max } => {
                    table.row([name, unit, &"", p50, p99, p999, p9999, max]);
                }
            }
        }
        table.text("no measurements")
    }
}
