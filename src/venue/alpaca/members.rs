//! The accounts: who they are, their settings, their budget of requests.

use super::config::Login;
use crate::alpaca::{Budget, Configuration, ConfigurationPatch, Credentials, Uuid};
use crate::types::{AccountId, InstrumentId, Timestamp};
use serde::{Deserialize, Serialize};

/// What an account has beyond orders, positions and cash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MemberState {
    pub created: Timestamp,
    pub config: Configuration,
    pub watchlists: Vec<List>,
    /// OAuth2 tokens that stand for it.
    pub tokens: Vec<String>,
}

/// A watchlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct List {
    pub id: Uuid,
    pub name: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub assets: Vec<InstrumentId>,
}

impl MemberState {
    pub fn new(created: Timestamp) -> Self {
        let config = Configuration::default();
        Self { created, config, watchlists: Vec::new(), tokens: Vec::new() }
    }

    /// Takes new settings in; what is absent stays.
    pub fn patch(&mut self, patch: &ConfigurationPatch) -> Result<(), String> {
        let config = &mut self.config;
        let word = |given: &Option<String>, words: &[&str], name: &str| match given {
            Some(text) if !words.contains(&text.as_str()) => Err(format!("invalid {name}: {text}")),
            _ => Ok(()),
        };
        word(&patch.trade_confirm_email, &["all", "none"], "trade_confirm_email")?;
        word(&patch.dtbp_check, &["both", "entry", "exit"], "dtbp_check")?;
        word(&patch.pdt_check, &["both", "entry", "exit"], "pdt_check")?;
        let multiplier = patch.max_margin_multiplier.as_ref().map(|text| text.0.clone());
        word(&multiplier, &["1", "2", "4"], "max_margin_multiplier")?;
        let set = |to: &mut bool, given: Option<bool>| *to = given.unwrap_or(*to);
        set(&mut config.fractional_trading, patch.fractional_trading);
        set(&mut config.no_shorting, patch.no_shorting);
        set(&mut config.suspend_trade, patch.suspend_trade);
        set(&mut config.ptp_no_exception_entry, patch.ptp_no_exception_entry);
        set(&mut config.disable_overnight_trading, patch.disable_overnight_trading);
        let put = |to: &mut String, given: Option<String>| {
            if let Some(text) = given {
                *to = text;
            }
        };
        put(&mut config.dtbp_check, patch.dtbp_check.clone());
        put(&mut config.pdt_check, patch.pdt_check.clone());
        put(&mut config.trade_confirm_email, patch.trade_confirm_email.clone());
        put(&mut config.max_margin_multiplier, multiplier);
        if let Some(level) = patch.max_options_trading_level {
            config.max_options_trading_level = level;
        }
        Ok(())
    }
}

/// Requests for market data in a minute, of each account.
const DATA_RATE: u32 = 10_000;

/// An account of the venue.
#[derive(Debug)]
pub(super) struct Member {
    pub account: AccountId,
    pub id: Uuid,
    login: Login,
    pub state: MemberState,
    /// Its state is to be saved.
    pub changed: bool,
    pub budget: Budget,
    /// Of market data, which has hosts and limits of its own.
    pub data_budget: Budget,
}

impl Member {
    pub fn new(account: AccountId, login: Login, state: MemberState, rate: u32) -> Self {
        let id = Self::id_of(&login);
        let (budget, data_budget) = (Budget::new(rate), Budget::new(rate.max(DATA_RATE)));
        Self { account, id, login, state, changed: true, budget, data_budget }
    }

    /// The id of the account of a key: the same after every restart.
    pub fn id_of(login: &Login) -> Uuid {
        Uuid::of_text("account", &login.key)
    }

    /// Whether these are its credentials. A data stream gives a token as the secret of `oauth`.
    pub fn is(&self, credentials: &Credentials) -> bool {
        match credentials {
            Credentials::Key(key, token) if key == "oauth" => self.state.tokens.contains(token),
            Credentials::Key(key, secret) => *key == self.login.key && *secret == self.login.secret,
            Credentials::Bearer(token) => self.state.tokens.contains(token),
        }
    }

    /// What an account is called by people.
    pub fn number(&self) -> String {
        format!("PA{:09}", self.id.0 % 1_000_000_000)
    }
}
