//! From a topology to actors: the only place where a kind is looked up by name.

use super::source::ConfigError;
use super::topology::{LaneId, Topology, Venue, Vocabulary};
use crate::actors::agent::Host;
use crate::actors::guardian::Guardian;
use crate::actors::market::Market;
use crate::actors::oms::books::Fx;
use crate::actors::oms::{Books, Oms, Patience};
use crate::actors::risk::{CHECKS, Known, Risk};
use crate::actors::{Core, Lane};
use crate::agents::{AGENTS, AgentSpec, BuildAgent};
use crate::broker::{SandboxConfig, SandboxSession};
use crate::desk::{Desk, InProcess, Link, Remembered};
use crate::journal::Log;
use crate::kill::KillBoard;
use crate::types::{AccountId, BrokerId, Nanos, Notional, Side, Timestamp};
use crate::venue::{Accounts, Exchange, ExchangeConfig, Loopback};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kinds of agents that a configuration may name.
#[derive(Debug, Clone)]
pub struct Registry {
    agents: BTreeMap<String, BuildAgent>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::standard()
    }
}

impl Registry {
    /// The kinds that ship.
    pub fn standard() -> Self {
        Self { agents: AGENTS.iter().map(|(kind, build)| ((*kind).to_owned(), *build)).collect() }
    }

    /// With one more kind, or another one of the same name.
    #[must_use]
    pub fn agent(mut self, kind: &str, build: BuildAgent) -> Self {
        self.agents.insert(kind.to_owned(), build);
        self
    }

    /// The words that a configuration may use.
    pub fn vocabulary(&self) -> Vocabulary {
        Vocabulary {
            agent_kinds: self.agents.keys().cloned().collect(),
            controls: CHECKS.iter().map(|own| (own.name.to_owned(), own.required)).collect(),
        }
    }
}

impl Default for Vocabulary {
    fn default() -> Self {
        Registry::standard().vocabulary()
    }
}

/// Which agents a lane gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// All of them: replay and simulation run on one lane.
    All,
    /// Those that the configuration puts there.
    Lane(LaneId),
}

impl Topology {
    /// A kill board for this topology, at normal.
    pub fn kill_board(&self) -> Arc<KillBoard> {
        Arc::new(KillBoard::new(
            self.brokers.len(),
            self.accounts.len(),
            self.names.agents().len(),
            self.names.instruments().len(),
        ))
    }

    /// The decision actors of a lane; the core comes with the core lane.
    ///
    /// # Errors
    /// Parameters or limits that their kind or control refuses, with their place.
    pub fn lane(&self, registry: &Registry, placement: Placement) -> Result<Lane, ConfigError> {
        let instruments = self.names.instruments();
        let mut hosts = Vec::new();
        for agent in &self.agents {
            if placement != Placement::All && placement != Placement::Lane(agent.lane) {
                continue;
            }
            let params: toml::Table = agent.params.read()?;
            let spec = AgentSpec { params: &params, symbols: &agent.symbols, instruments };
            let build = registry.agents.get(&agent.kind).ok_or_else(|| {
                agent.params.error(format!("`{}` is not a kind of agent", agent.kind))
            })?;
            let built = build(&spec).map_err(|message| {
                agent.params.error(format!("agent `{}`: {message}", agent.name))
            })?;
            hosts.push(Host::new(built, agent.id, agent.account, agent.symbols.clone()));
        }
        let with_core =
            matches!(placement, Placement::All) || placement == Placement::Lane(LaneId::CORE);
        let core = with_core.then(|| self.core()).transpose()?;
        let market = Market::new(instruments.len(), self.stale_after);
        Ok(Lane::new(market, instruments.len(), hosts, core))
    }

    fn core(&self) -> Result<Core, ConfigError> {
        let instruments = Arc::new(self.names.instruments().clone());
        let known = Known {
            instruments: Arc::clone(&instruments),
            accounts: self.names.accounts().to_vec(),
        };
        let brokers: Vec<BrokerId> = self.accounts.iter().map(|account| account.broker).collect();
        let risk = Risk::new(self.limits.clone(), known, brokers.clone()).map_err(|error| {
            ConfigError {
                file: self.source().file().to_owned(),
                line: error.line.unwrap_or(1),
                column: 1,
                message: error.message,
            }
        })?;
        let rates = instruments
            .iter()
            .map(|(_, instrument)| {
                (instrument.currency != self.currency).then(|| {
                    self.fx
                        .iter()
                        .find(|mark| mark.currency == instrument.currency)
                        .map(|mark| mark.instrument)
                })
            })
            .collect();
        let books =
            Books::new(self.accounts.len(), self.names.agents().len(), instruments, Fx::new(rates))
                .with_capital(self.accounts.iter().map(|account| account.capital).collect())
                .with_day_start(self.day_start);
        let patience = self
            .brokers
            .iter()
            .map(|broker| Patience {
                ack: broker.ack_timeout,
                absence: broker.absence_after,
                // A sandbox in this process cannot lose a message: the clock of a replay may jump
                // years, and need not stop for snapshots on the way.
                reconcile: match broker.venue {
                    Venue::InProcess(_) => Nanos(u64::MAX),
                    Venue::Remote(_) | Venue::Alpaca(_) => broker.reconcile_every,
                },
            })
            .collect();
        let oms = Oms::new(books, patience, brokers);
        let capital: Vec<_> =
            self.accounts.iter().map(|account| (account.broker, account.capital)).collect();
        let guardian = Guardian::new(&self.guardian, &capital, self.names.agents().len());
        let guardian = guardian.map_err(|error| ConfigError {
            file: self.source().file().to_owned(),
            line: error.line,
            column: 1,
            message: error.message,
        })?;
        Ok(Core::new(risk, oms).guarded_by(guardian, &self.guardian))
    }

    /// The accounts of a broker, with their names there.
    pub fn accounts_of(&self, broker: BrokerId) -> Vec<(AccountId, String)> {
        self.accounts
            .iter()
            .enumerate()
            .filter(|(_, account)| account.broker == broker)
            .map(|(at, account)| (AccountId(at as u16), account.name.clone()))
            .collect()
    }

    /// The link to a broker that runs in this process; `None` for one that does not. `books` are what
    /// its accounts hold already: a sandbox in this process has no memory of its own.
    ///
    /// # Errors
    /// Exchange parameters that cannot be used, with their place.
    pub fn in_process(
        &self,
        broker: BrokerId,
        board: &Arc<KillBoard>,
        books: Option<&Books>,
    ) -> Result<Option<Box<dyn Link>>, ConfigError> {
        let Some(spec) = self.brokers.get(broker.index()) else { return Ok(None) };
        let Venue::InProcess(params) = &spec.venue else { return Ok(None) };
        let config: ExchangeConfig = params.read()?;
        let link = self.sandbox_link(broker, &config, board, books);
        link.map(Some).map_err(|message| params.error(message))
    }

    /// A sandbox exchange of this process in the place of a broker, whatever that is.
    ///
    /// # Errors
    /// The setting that is out of range.
    pub fn sandbox_link(
        &self,
        broker: BrokerId,
        config: &ExchangeConfig,
        board: &Arc<KillBoard>,
        books: Option<&Books>,
    ) -> Result<Box<dyn Link>, String> {
        let instruments = self.names.instruments();
        let mut accounts = Accounts::default();
        for (_, name) in self.accounts_of(broker) {
            accounts.open(&name)?;
        }
        for ((account, _, instrument), position) in books.iter().flat_map(|books| books.positions())
        {
            let own = &self.accounts[account.index()];
            if own.broker != broker || position.qty.is_zero() {
                continue;
            }
            let id = accounts.open(&own.name)?;
            let multiplier = instruments.get(instrument).multiplier;
            let side = if position.qty.is_positive() { Side::Buy } else { Side::Sell };
            let price = position.avg_px(multiplier);
            let qty = position.qty.abs();
            accounts.book(id, instrument, multiplier, side, qty, price, Notional::ZERO);
        }
        let exchange =
            Exchange::restore(config, instruments.clone(), accounts, Vec::new(), Timestamp::ZERO)?;
        let session = SandboxSession::new(
            SandboxConfig::in_memory("gateway", self.accounts_of(broker)),
            instruments.clone(),
        );
        let writer = board.writer(broker).ok_or("the broker has a writer already")?;
        Ok(Box::new(InProcess::new(Loopback::new(session, exchange), writer)))
    }

    /// Whether every broker runs in this process, so that runs over a recording repeat.
    pub fn is_closed(&self) -> bool {
        self.brokers.iter().all(|broker| matches!(broker.venue, Venue::InProcess(_)))
    }
}

/// Why a desk cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A broker that is not in this process.
    #[error("broker `{0}` is another process: a replay needs `kind = \"sandbox\"` without `addr`")]
    Remote(String),
}

/// A desk with all agents on one lane and all brokers in this process: a closed world.
///
/// # Errors
/// The configuration, or a broker that is another process.
pub fn closed_desk(
    topology: &Topology,
    registry: &Registry,
    board: &Arc<KillBoard>,
    books: Option<&Books>,
) -> Result<Desk, AssemblyError> {
    let lane = topology.lane(registry, Placement::All)?;
    let mut links = Vec::new();
    for (number, broker) in topology.brokers.iter().enumerate() {
        let link = topology
            .in_process(BrokerId(number as u8), board, books)?
            .ok_or_else(|| AssemblyError::Remote(broker.name.clone()))?;
        links.push(link);
    }
    Ok(Desk::new(lane, Log::none(), links, false))
}

/// A core lane whose brokers are only remembered: an open world, to run its journal again.
///
/// # Errors
/// The configuration.
pub fn remembered_desk(topology: &Topology, registry: &Registry) -> Result<Desk, AssemblyError> {
    let lane = topology.lane(registry, Placement::Lane(LaneId::CORE))?;
    let links = topology.brokers.iter().map(|_| Box::new(Remembered) as Box<dyn Link>).collect();
    Ok(Desk::new(lane, Log::none(), links, false))
}
