//! Brokers: from what the config says of them to what a driver drives.

use super::alpaca::{self, check_key};
use super::build::{Reader, text};
use super::config::{BrokerKind, BrokerSection, Mode};
use super::source::{ConfigError, Params};
use super::topology::{AlpacaLogin, AlpacaSpec, BrokerSpec, Topology, Venue};
use crate::actors::oms::{Oms, Role};
use crate::broker::{
    AlpacaConfig, AlpacaSession, Backoff, BrokerSession, Credentials, Known, SandboxConfig,
    SandboxSession, SessionFigures,
};
use crate::net::Endpoint;
use crate::types::{BrokerId, InstrumentTable, Nanos, Timestamp};
use std::sync::Arc;

impl Reader<'_> {
    /// One `[[broker]]`.
    pub(super) fn broker(
        &self,
        index: usize,
        section: BrokerSection,
        mode: Mode,
        instruments: &InstrumentTable,
    ) -> Result<BrokerSpec, ConfigError> {
        let owner = section.name.span().start;
        let venue = match (section.kind, section.addr, section.exchange) {
            (BrokerKind::Alpaca, None, None) => {
                let params = Params::new(self.source, ("broker", index, "params"), owner);
                Venue::Alpaca(alpaca::read(&params, mode, instruments)?)
            }
            (BrokerKind::Alpaca, ..) => {
                let message =
                    "a broker of kind `alpaca` has [broker.params], no `addr` and no `exchange`";
                return Err(self.at(&section.name, message));
            }
            (BrokerKind::Sandbox, Some(_), Some(exchange)) => {
                let message = "`exchange` is for a sandbox in this process: with `addr`, the venue process has its own";
                return Err(self.at(&exchange, message));
            }
            (BrokerKind::Sandbox, Some(addr), None) => Venue::Remote(addr.0),
            (BrokerKind::Sandbox, None, _) => {
                Venue::InProcess(Params::new(self.source, ("broker", index, "exchange"), owner))
            }
        };
        if let (BrokerKind::Sandbox, Some(params)) = (section.kind, section.params) {
            return Err(self.at(&params, "a broker of kind `sandbox` has no `params`"));
        }
        let on_core = self.on_core(section.lane.as_ref())?;
        if let (Some(lane), false) = (&section.lane, venue.is_remote()) {
            return Err(self.at(lane, "a sandbox in this process has no sockets to put on a lane"));
        }
        Ok(BrokerSpec {
            name: text(&section.name).to_owned(),
            venue,
            on_core,
            ack_timeout: self.span("ack_timeout", section.ack_timeout, Nanos::from_secs(2))?,
            absence_after: self.span(
                "absence_after",
                section.absence_after,
                Nanos::from_secs(5),
            )?,
            reconcile_every: self.span(
                "reconcile_every",
                section.reconcile_every,
                Nanos::from_secs(30),
            )?,
            reconnect: self.backoff(
                ["reconnect_min", "reconnect_max"],
                section.reconnect_min,
                section.reconnect_max,
            )?,
        })
    }
}

/// Everything that a session of a broker in another process is made of. It can be made anew as often as
/// its actor is.
#[derive(Debug, Clone)]
pub struct RemoteSession {
    /// Where each of its channels connects to.
    pub endpoints: Vec<Endpoint>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Sandbox(SandboxConfig, InstrumentTable),
    Alpaca(Box<AlpacaConfig>),
}

impl RemoteSession {
    /// A session.
    pub fn make(&self) -> Box<dyn BrokerSession> {
        match &self.kind {
            Kind::Sandbox(config, instruments) => {
                Box::new(SandboxSession::new(config.clone(), instruments.clone()))
            }
            Kind::Alpaca(config) => Box::new(AlpacaSession::new((**config).clone())),
        }
    }

    /// What its sessions count, where they do.
    pub fn figures(&self) -> Option<&Arc<SessionFigures>> {
        match &self.kind {
            Kind::Sandbox(..) => None,
            Kind::Alpaca(config) => Some(&config.figures),
        }
    }

    /// With other waits between tries to connect.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        match &mut self.kind {
            Kind::Sandbox(config, _) => config.backoff = backoff,
            Kind::Alpaca(config) => config.backoff = backoff,
        }
        self
    }
}

/// What the gateway holds for live at a broker: a session that begins has to find each of them.
fn known(oms: &Oms, broker: BrokerId) -> Vec<Known> {
    let name = |index: u32| oms.orders().get(index as usize).map(|order| order.cl_ord_id);
    oms.open()
        .filter(|(_, order)| order.route.broker == broker)
        .map(|(_, order)| Known {
            cl_ord_id: order.cl_ord_id,
            venue_order_id: order.venue_order_id,
            replacement: order.replacement.map(|(replace, _)| replace.cl_ord_id),
            terms: order.terms,
            leg_of: match order.role {
                Role::Child { parent, .. } => name(parent),
                Role::Second(first) => name(first),
                Role::Single | Role::First(_) | Role::Parent { .. } => None,
            },
        })
        .collect()
}

impl Topology {
    /// The session of a broker in another process, for a gateway that is called `gateway` there and
    /// knows these orders. Secrets are fetched here. `None`: the broker is in this process.
    ///
    /// # Errors
    /// The credentials are missing, or are for another environment; no secret is part of the message.
    pub fn remote_session(
        &self,
        broker: BrokerId,
        gateway: &str,
        oms: Option<&Oms>,
        now: Timestamp,
    ) -> Result<Option<RemoteSession>, String> {
        let spec = &self.brokers[broker.index()];
        Ok(Some(match &spec.venue {
            Venue::InProcess(_) => return Ok(None),
            Venue::Remote(addr) => {
                let accounts = self.accounts_of(broker);
                let backoff = Backoff::new(spec.reconnect.min, spec.reconnect.max);
                let config = SandboxConfig { backoff, ..SandboxConfig::tcp(gateway, accounts) };
                RemoteSession {
                    endpoints: vec![Endpoint::tcp(*addr)],
                    kind: Kind::Sandbox(config, self.names.instruments().clone()),
                }
            }
            Venue::Alpaca(alpaca) => {
                let credentials = alpaca_login(spec, alpaca)?;
                self.alpaca_session(broker, credentials, oms, now)?
            }
        }))
    }

    /// Where an Alpaca broker answers questions, and the header lines that it wants to see.
    ///
    /// # Errors
    /// It is none of Alpaca's; as [`Self::remote_session`].
    pub fn alpaca_access(&self, broker: BrokerId) -> Result<(Endpoint, String), String> {
        let spec = &self.brokers[broker.index()];
        let Venue::Alpaca(alpaca) = &spec.venue else {
            return Err(format!("broker `{}`: it is none of Alpaca's", spec.name));
        };
        Ok((alpaca.endpoint.clone(), alpaca_login(spec, alpaca)?.headers()))
    }

    /// The session of an Alpaca broker that logs in with `credentials`, and knows these orders.
    ///
    /// # Errors
    /// The broker is none of Alpaca's, or does not have one account.
    pub fn alpaca_session(
        &self,
        broker: BrokerId,
        credentials: Credentials,
        oms: Option<&Oms>,
        now: Timestamp,
    ) -> Result<RemoteSession, String> {
        let spec = &self.brokers[broker.index()];
        let named = |why: &str| format!("broker `{}`: {why}", spec.name);
        let Venue::Alpaca(alpaca) = &spec.venue else {
            return Err(named("it is none of Alpaca's"));
        };
        let accounts = self.accounts_of(broker);
        let [(account, _)] = &accounts[..] else {
            return Err(named("its credentials open one account, so it needs one [[account]]"));
        };
        let told = oms.and_then(|oms| oms.links().get(broker.index())?.told);
        let (floor, told) = told.unwrap_or((now, now));
        let config = AlpacaConfig {
            endpoint: alpaca.endpoint.clone(),
            credentials,
            account: *account,
            number: alpaca.account.clone(),
            rate: alpaca.rate,
            symbols: alpaca.symbols.clone(),
            known: oms.map(|oms| known(oms, broker)).unwrap_or_default(),
            floor,
            told,
            backoff: Backoff::new(spec.reconnect.min, spec.reconnect.max),
            figures: Arc::default(),
        };
        Ok(RemoteSession { endpoints: config.endpoints(), kind: Kind::Alpaca(Box::new(config)) })
    }
}

/// Fetches the secrets of an Alpaca broker.
fn alpaca_login(spec: &BrokerSpec, alpaca: &AlpacaSpec) -> Result<Credentials, String> {
    let named = |why: String| format!("broker `{}`: {why}", spec.name);
    let credentials = match &alpaca.login {
        AlpacaLogin::Keys { key, secret } => {
            let key = key.resolve().map_err(named)?;
            let secret = secret.resolve().map_err(named)?;
            check_key(key.expose(), &alpaca.endpoint).map_err(named)?;
            Credentials::Keys { key: key.expose().to_owned(), secret: secret.expose().to_owned() }
        }
        AlpacaLogin::Token(token) => {
            Credentials::Token(token.resolve().map_err(named)?.expose().to_owned())
        }
    };
    match credentials.is_wellformed() {
        true => Ok(credentials),
        false => Err(named("the credentials hold characters that no key has".to_owned())),
    }
}
