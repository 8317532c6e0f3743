//! Names and their numbers: the only place where text becomes an id and an id becomes text.

use crate::types::{AccountId, AgentId, BrokerId, InstrumentId, InstrumentTable, Scope};

/// The name of [`AgentId::OPERATOR`].
pub const OPERATOR: &str = "operator";
/// The name of [`AgentId::EXTERNAL`].
pub const EXTERNAL: &str = "external";

/// All names of a topology. Every table but the fixed start of the agents is sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    instruments: InstrumentTable,
    brokers: Vec<String>,
    accounts: Vec<String>,
    agents: Vec<String>,
}

impl Names {
    /// Takes tables that are sorted and free of doubles; agents are the strategies only.
    pub(super) fn new(
        instruments: InstrumentTable,
        brokers: Vec<String>,
        accounts: Vec<String>,
        strategies: impl Iterator<Item = String>,
    ) -> Self {
        let fixed = [OPERATOR, EXTERNAL].map(str::to_owned);
        let agents = fixed.into_iter().chain(strategies).collect();
        Self { instruments, brokers, accounts, agents }
    }

    /// Whether every id here means the same in `other`.
    pub(super) fn fits(&self, other: &Self) -> bool {
        self.instruments.fits(&other.instruments)
            && (&self.brokers, &self.accounts, &self.agents)
                == (&other.brokers, &other.accounts, &other.agents)
    }

    /// All instruments.
    pub const fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }
    /// All brokers, in the order of their ids.
    pub fn brokers(&self) -> &[String] {
        &self.brokers
    }
    /// All accounts, in the order of their ids.
    pub fn accounts(&self) -> &[String] {
        &self.accounts
    }
    /// All agents, in the order of their ids: operator, external, then the strategies.
    pub fn agents(&self) -> &[String] {
        &self.agents
    }

    /// An instrument's symbol; `?` for an id of another topology.
    pub fn symbol(&self, id: InstrumentId) -> &str {
        if id.index() < self.instruments.len() { &self.instruments.get(id).symbol } else { "?" }
    }
    /// A broker's name; `?` for an id of another topology.
    pub fn broker(&self, id: BrokerId) -> &str {
        self.brokers.get(id.index()).map_or("?", String::as_str)
    }
    /// An account's name; `?` for an id of another topology.
    pub fn account(&self, id: AccountId) -> &str {
        self.accounts.get(id.index()).map_or("?", String::as_str)
    }
    /// An agent's name; `?` for an id of another topology.
    pub fn agent(&self, id: AgentId) -> &str {
        self.agents.get(id.index()).map_or("?", String::as_str)
    }

    /// The instrument with this symbol, in any case.
    ///
    /// # Errors
    /// The symbols there are.
    pub fn find_symbol(&self, symbol: &str) -> Result<InstrumentId, String> {
        self.instruments.find(&symbol.to_ascii_uppercase()).ok_or_else(|| {
            let known = self.instruments.iter().map(|(_, i)| i.symbol.as_str());
            unknown("symbol", symbol, known)
        })
    }
    /// The broker with this name.
    ///
    /// # Errors
    /// The brokers there are.
    pub fn find_broker(&self, name: &str) -> Result<BrokerId, String> {
        find("broker", &self.brokers, name).map(|at| BrokerId(at as u8))
    }
    /// The account with this name.
    ///
    /// # Errors
    /// The accounts there are.
    pub fn find_account(&self, name: &str) -> Result<AccountId, String> {
        find("account", &self.accounts, name).map(|at| AccountId(at as u16))
    }
    /// The agent with this name.
    ///
    /// # Errors
    /// The agents there are.
    pub fn find_agent(&self, name: &str) -> Result<AgentId, String> {
        find("agent", &self.agents, name).map(|at| AgentId(at as u16))
    }

    /// Reads `global`, `broker:N`, `account:N`, `agent:N` or `symbol:N`.
    ///
    /// # Errors
    /// What a scope looks like, or the names there are.
    pub fn scope(&self, text: &str) -> Result<Scope, String> {
        match text.split_once(':') {
            None if text == "global" => Ok(Scope::Global),
            Some(("broker", name)) => self.find_broker(name).map(Scope::Broker),
            Some(("account", name)) => self.find_account(name).map(Scope::Account),
            Some(("agent", name)) => self.find_agent(name).map(Scope::Agent),
            Some(("symbol", name)) => self.find_symbol(name).map(Scope::Symbol),
            _ => Err(format!(
                "`{text}` is not a scope: global, broker:N, account:N, agent:N or symbol:N"
            )),
        }
    }

    /// The scope as [`Self::scope`] reads it.
    pub fn scope_name(&self, scope: Scope) -> String {
        match scope {
            Scope::Global => "global".to_owned(),
            Scope::Broker(id) => format!("broker:{}", self.broker(id)),
            Scope::Account(id) => format!("account:{}", self.account(id)),
            Scope::Agent(id) => format!("agent:{}", self.agent(id)),
            Scope::Symbol(id) => format!("symbol:{}", self.symbol(id)),
        }
    }
}

fn find(what: &str, table: &[String], name: &str) -> Result<usize, String> {
    table
        .iter()
        .position(|known| known == name)
        .ok_or_else(|| unknown(what, name, table.iter().map(String::as_str)))
}

/// "unknown WHAT `name`: a, b or c", with at most eight of those there are.
pub(super) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let list = match known.as_slice() {
        [] => "there is none".to_owned(),
        [one] => format!("there is only {one}"),
        [first @ .., last] if known.len() <= 8 => format!("{} or {last}", first.join(", ")),
        many => format!("{} and {} more", many[..8].join(", "), many.len() - 8),
    };
    format!("unknown {what} `{name}`: {list}")
}
