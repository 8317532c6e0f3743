//! The venue of a campaign: how it is started, what it says of its ledger, how it is made to misbehave.

use super::agree::Theirs;
use super::world::{Market, Trouble};
use crate::alpaca::{Activity, Order, Position, Uuid};
use crate::venue::Ledger;
use rand_core::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Which venue a world trades at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum VenueKind {
    /// `qtos venue sandbox`.
    #[default]
    Sandbox,
    /// `qtos venue alpaca`.
    Alpaca,
}

/// Key and secret of the account at a campaign's own venue.
const LOGIN: (&str, &str) = ("K", "S");
/// Rows of a page.
const PAGE: usize = 500;

impl VenueKind {
    /// Configs of a campaign without one of its own, in turn.
    pub(super) const fn configs(self) -> &'static [&'static str] {
        match self {
            // Agents on the core's lane, and on lanes of their own.
            Self::Sandbox => &[
                include_str!("../../config/venue-sandbox.toml"),
                include_str!("../../config/spread.toml"),
            ],
            Self::Alpaca => &[include_str!("../../config/venue-alpaca.toml")],
        }
    }

    /// Arguments that start the venue.
    pub(super) fn arguments(self, addr: &str, market: &Market) -> Vec<String> {
        let own: &[&str] = match self {
            Self::Sandbox => &["venue", "sandbox", "--config", "venue.toml"],
            Self::Alpaca => &["venue", "alpaca", "--rate", "1000000"],
        };
        let both = ["--state-dir", "v", "--seed", "1", "--listen", addr];
        let mut all: Vec<String> = own.iter().chain(&both).map(|text| (*text).to_owned()).collect();
        // The market that an Alpaca venue generates has a pace of its own.
        if self == Self::Sandbox || market.data.is_some() {
            all.extend(["--speed".to_owned(), market.speed.to_string()]);
        }
        if let Some(data) = &market.data {
            all.extend(["--data".to_owned(), data.display().to_string()]);
        }
        all
    }

    /// What both processes find in their environment.
    pub(super) const fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sandbox => &[],
            Self::Alpaca => &[
                ("QTOS_VENUE_KEY", LOGIN.0),
                ("QTOS_VENUE_SECRET", LOGIN.1),
                ("APCA_API_KEY_ID", LOGIN.0),
                ("APCA_API_SECRET_KEY", LOGIN.1),
            ],
        }
    }

    /// The venue's word on everything that it was ever asked for. `dir` holds its folder `v`, `addr` is where
    /// it listens.
    ///
    /// # Errors
    /// For people: it does not answer, or its ledger cannot be read.
    pub fn theirs(self, dir: &Path, addr: &str) -> Result<Theirs, Trouble> {
        match self {
            Self::Sandbox => {
                let ledger = Ledger::read(&dir.join("v")).map_err(|error| error.to_string())?;
                Ok(Theirs::of(&ledger))
            }
            Self::Alpaca => Asker::new(addr).theirs(),
        }
    }

    /// Has the venue misbehave in one or two ways for a while, where it can.
    pub(super) fn spoil(self, addr: &str, random: &mut impl Rng) -> Result<(), Trouble> {
        if self == Self::Sandbox {
            return Ok(());
        }
        for _ in 0..=random.next_u64() % 2 {
            let place = random.next_u64() % VenueFault::ALL.len() as u64;
            self.misbehave(addr, VenueFault::ALL[place as usize], random)?;
        }
        Ok(())
    }

    /// Has the venue misbehave in this way for a while, where it can.
    pub(super) fn misbehave(
        self,
        addr: &str,
        fault: VenueFault,
        random: &mut impl Rng,
    ) -> Result<(), Trouble> {
        let (path, body) = fault.rule(random);
        match self {
            Self::Sandbox => Ok(()),
            Self::Alpaca => Asker::new(addr).tell("POST", path, &body),
        }
    }

    /// Has the venue hang up on everybody, where it can.
    pub(super) fn cut(self, addr: &str) -> Result<(), Trouble> {
        match self {
            Self::Sandbox => Ok(()),
            Self::Alpaca => Asker::new(addr).tell("POST", "/__sim/disconnect", &Value::Null),
        }
    }

    /// Ends what [`Self::spoil`] began.
    pub(super) fn mend(self, addr: &str) -> Result<(), Trouble> {
        match self {
            Self::Sandbox => Ok(()),
            Self::Alpaca => Asker::new(addr).tell("DELETE", "/__sim/faults", &Value::Null),
        }
    }
}

/// A way in which an Alpaca venue can misbehave for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueFault {
    /// Orders are not looked at.
    DroppedOrder,
    /// Orders are taken, their answer is lost.
    LostOrder,
    /// Replaces are done, their answer is lost.
    LostReplace,
    /// Cancels are done, their answer is lost.
    LostCancel,
    /// Answers come late.
    Delay,
    /// 500 to orders.
    Error500,
    /// 429 to everything.
    Error429,
    /// 504 to everything.
    Error504,
    /// 503 to everything.
    Maintenance,
    /// Trade updates are not told.
    UpdateLost,
    /// They are told twice.
    UpdateDuplicated,
    /// They are told in another order.
    UpdateReordered,
    /// They are told late.
    UpdateDelayed,
    /// Sockets stay open and say nothing but pongs.
    Mute,
    /// Not even pongs.
    HalfOpen,
    /// All sockets end.
    Disconnect,
}

impl VenueFault {
    /// Every way.
    pub const ALL: &'static [Self] = &[
        Self::DroppedOrder,
        Self::LostOrder,
        Self::LostReplace,
        Self::LostCancel,
        Self::Delay,
        Self::Error500,
        Self::Error429,
        Self::Error504,
        Self::Maintenance,
        Self::UpdateLost,
        Self::UpdateDuplicated,
        Self::UpdateReordered,
        Self::UpdateDelayed,
        Self::Mute,
        Self::HalfOpen,
        Self::Disconnect,
    ];

    /// What the venue is told below `/__sim/`; how often and how late are drawn.
    fn rule(self, random: &mut impl Rng) -> (&'static str, Value) {
        let (times, ms) = (1 + random.next_u64() % 5, 50 + random.next_u64() % 2_000);
        let rule = match self {
            Self::DroppedOrder => {
                json!({"kind": "drop", "method": "POST", "path": "/v2/orders", "times": times})
            }
            Self::LostOrder => {
                json!({"kind": "lost_response", "method": "POST", "path": "/v2/orders", "times": times})
            }
            Self::LostReplace => {
                json!({"kind": "lost_response", "method": "PATCH", "times": times})
            }
            Self::LostCancel => {
                json!({"kind": "lost_response", "method": "DELETE", "times": times})
            }
            Self::Delay => json!({"kind": "delay", "ms": ms, "times": 10 * times}),
            Self::Error500 => {
                json!({"kind": "status", "status": 500, "method": "POST", "times": times})
            }
            Self::Error429 => {
                json!({"kind": "status", "status": 429, "retry_after": 1, "times": times})
            }
            Self::Error504 => json!({"kind": "status", "status": 504, "times": times}),
            Self::Maintenance => json!({"kind": "maintenance", "times": 5 * times}),
            Self::UpdateLost => json!({"kind": "update_lost", "times": times}),
            Self::UpdateDuplicated => json!({"kind": "update_duplicated", "times": 3 * times}),
            Self::UpdateReordered => json!({"kind": "update_reordered", "times": 3 * times}),
            Self::UpdateDelayed => json!({"kind": "update_delayed", "ms": ms, "times": times}),
            Self::Mute => json!({"kind": "mute", "times": 1}),
            Self::HalfOpen => json!({"kind": "half_open", "times": 1}),
            Self::Disconnect => return ("/__sim/disconnect", Value::Null),
        };
        ("/__sim/faults", rule)
    }
}

/// Asks an Alpaca venue.
struct Asker {
    agent: ureq::Agent,
    base: String,
}

impl Asker {
    fn new(addr: &str) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5)));
        Self { agent: config.build().into(), base: format!("http://{addr}") }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<String, Trouble> {
        let trouble = |error: &dyn std::fmt::Display| format!("{method} {path}: {error}");
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("APCA-API-KEY-ID", LOGIN.0)
            .header("APCA-API-SECRET-KEY", LOGIN.1);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request.body(body).map_err(|error| trouble(&error))?;
        let mut answer = self.agent.run(request).map_err(|error| trouble(&error))?;
        answer.body_mut().read_to_string().map_err(|error| trouble(&error))
    }

    fn tell(&self, method: &str, path: &str, body: &Value) -> Result<(), Trouble> {
        self.ask(method, path, body).map(drop)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        let text = self.ask("GET", path, &Value::Null)?;
        serde_json::from_str(&text).map_err(|error| format!("GET {path}: {error}"))
    }

    fn theirs(&self) -> Result<Theirs, Trouble> {
        let mut orders: Vec<Order> = Vec::new();
        loop {
            let after =
                orders.last().map_or(String::new(), |o| format!("&after_order_id={}", o.id));
            let path = format!("/v2/orders?status=all&direction=asc&limit={PAGE}{after}");
            let page: Vec<Order> = self.get(&path)?;
            let whole = page.len() == PAGE;
            orders.extend(page);
            if !whole {
                break;
            }
        }
        let mut fills: Vec<Activity> = Vec::new();
        loop {
            let after =
                fills.last().map_or(String::new(), |fill| format!("&page_token={}", fill.id));
            let path = format!("/v2/account/activities/FILL?direction=asc&page_size=100{after}");
            let page: Vec<Activity> = self.get(&path)?;
            let whole = page.len() == 100;
            fills.extend(page);
            if !whole {
                break;
            }
        }
        let positions: Vec<Position> = self.get("/v2/positions")?;
        let names: BTreeMap<Uuid, &Order> = orders.iter().map(|order| (order.id, order)).collect();
        // Fills stand under the name that their order has now.
        let last = |mut id: Uuid| {
            while let Some(next) = names.get(&id).and_then(|order| order.replaced_by) {
                id = next;
            }
            names.get(&id).map(|order| order.client_order_id.clone()).unwrap_or_default()
        };
        let number = |number: crate::alpaca::Number| number.to_string();
        Ok(Theirs {
            open: orders
                .iter()
                .find(|o| !o.status.is_terminal())
                .map(|o| o.client_order_id.clone()),
            names: orders.iter().map(|order| order.client_order_id.clone()).collect(),
            positions: positions
                .iter()
                .map(|one| ("paper".to_owned(), one.symbol.clone(), number(one.qty)))
                .collect(),
            fills: fills
                .iter()
                .map(|one| {
                    (last(one.order_id), number(one.cum_qty), number(one.qty), number(one.price))
                })
                .collect(),
            orders: orders.len() as u64,
        })
    }
}
