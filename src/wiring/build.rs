//! From what a file says to what it means: names become numbers, dangling ones become errors.

use super::config::{Config, FxSection, InstrumentSection, Mode, Name, SuperviseSection};
use super::names::{EXTERNAL, Names, OPERATOR, unknown};
use super::session;
use super::source::{ConfigError, Params, Source};
use super::topology::{
    AccountSpec, AgentSpec, Backoff, ControlSpec, FxMark, LaneId, LaneSpec, RestartPolicy,
    Topology, Vocabulary,
};
use crate::actors::risk::check::SESSION;
use crate::agents::REMOTE;
use crate::types::text::Text;
use crate::types::{
    AgentId, Currency, Instrument, InstrumentTable, LimitRow, Nanos, Notional, Price, Qty,
};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use toml::Spanned;

/// The lane that always exists.
const CORE: &str = "core";

pub(super) fn build(source: Source, vocabulary: &Vocabulary) -> Result<Topology, ConfigError> {
    let config: Config = source.read()?;
    let read = Reader { source: &source };
    let currency = config.currency.map_or(Currency::USD, |code| code.0);

    let permits = session::permits(&source, &config.instrument)?;
    let instruments = read.instruments(config.instrument, currency)?;
    let brokers = read.sorted("broker", config.broker, |b| &b.name, usize::from(u8::MAX))?;
    let accounts = read.sorted("account", config.account, |a| &a.name, usize::from(u16::MAX))?;
    let agents = read.sorted("agent", config.agent, |a| &a.name, usize::from(u16::MAX) - 2)?;
    let feeds = read.sorted("feed", config.feed, |f| &f.name, usize::from(u8::MAX))?;
    for (what, none) in [
        ("instrument", instruments.is_empty()),
        ("broker", brokers.is_empty()),
        ("account", accounts.is_empty()),
    ] {
        if none {
            return Err(source.missing(format!("at least one [[{what}]] is needed")));
        }
    }
    if let Some((_, agent)) =
        agents.iter().find(|(_, a)| [OPERATOR, EXTERNAL].contains(&text(&a.name)))
    {
        let message = format!("`{}` is a reserved name", text(&agent.name));
        return Err(read.at(&agent.name, message));
    }

    let names = Names::new(
        instruments,
        brokers.iter().map(|(_, b)| text(&b.name).to_owned()).collect(),
        accounts.iter().map(|(_, a)| text(&a.name).to_owned()).collect(),
        agents.iter().map(|(_, a)| text(&a.name).to_owned()),
    );

    let mut lanes = read.sorted("lane", config.lane, |l| &l.name, usize::from(u8::MAX))?;
    let core = lanes.iter().position(|(_, lane)| text(&lane.name) == CORE);
    let core = core.map(|at| lanes.remove(at).1.idle).unwrap_or_default();
    let lanes: Vec<LaneSpec> = std::iter::once(LaneSpec { name: CORE.to_owned(), idle: core })
        .chain(
            lanes
                .into_iter()
                .map(|(_, lane)| LaneSpec { name: text(&lane.name).to_owned(), idle: lane.idle }),
        )
        .collect();

    let account_specs = accounts
        .iter()
        .map(|(_, account)| {
            let broker = names
                .find_broker(account.broker.as_ref())
                .map_err(|message| read.at(&account.broker, message))?;
            let capital = account.capital.as_ref().map_or(Notional::whole(100_000), |text| text.0);
            Ok(AccountSpec { name: text(&account.name).to_owned(), broker, capital })
        })
        .collect::<Result<Vec<_>, ConfigError>>()?;

    let mut agent_specs = Vec::with_capacity(agents.len());
    for (id, (index, agent)) in (AgentId::FIRST..).zip(&agents) {
        let kind = agent.kind.as_ref();
        if !vocabulary.agent_kinds.contains(kind) {
            let kinds = vocabulary.agent_kinds.iter().map(String::as_str);
            return Err(read.at(&agent.kind, unknown("agent kind", kind, kinds)));
        }
        let lane = agent.lane.as_ref().map_or(Ok(LaneId::CORE), |lane| {
            let at = lanes.iter().position(|known| known.name == *lane.as_ref());
            at.map(|at| LaneId(at as u8)).ok_or_else(|| {
                let known = lanes.iter().map(|lane| lane.name.as_str());
                read.at(lane, unknown("lane", lane.as_ref(), known))
            })
        })?;
        let mut symbols = Vec::with_capacity(agent.symbols.as_ref().len());
        for symbol in agent.symbols.as_ref() {
            symbols.push(
                names.find_symbol(symbol.as_ref()).map_err(|message| read.at(symbol, message))?,
            );
        }
        symbols.sort();
        symbols.dedup();
        if let (REMOTE, Some(lane)) = (kind.as_str(), &agent.lane) {
            let message = "an agent of kind `remote` has no lane: its program is outside";
            return Err(read.at(lane, message));
        }
        if symbols.is_empty() {
            return Err(read.at(&agent.symbols, "`symbols` needs at least one symbol"));
        }
        agent_specs.push(AgentSpec {
            id: AgentId(id),
            name: text(&agent.name).to_owned(),
            kind: kind.clone(),
            params: Params::new(&source, ("agent", *index, "params"), agent.name.span().start),
            account: names
                .find_account(agent.account.as_ref())
                .map_err(|message| read.at(&agent.account, message))?,
            symbols,
            lane,
        });
    }

    let listen = match config.control.listen {
        Some(listen) if !listen.as_ref().0.ip().is_loopback() => {
            let message = "`listen` must be a loopback address such as 127.0.0.1:0: the control API is not for the network";
            return Err(read.at(&listen, message));
        }
        Some(listen) => listen.into_inner().0,
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    };

    Ok(Topology {
        entry: super::entry::read(&read, config.entry, &agent_specs)?,
        mode: config.mode,
        currency,
        durability: config.journal.durability,
        rotation: config.journal.rotate.map(|rotate| rotate.0).unwrap_or_default(),
        keep: config.journal.keep.map(std::num::NonZeroU32::get),
        control: ControlSpec { listen, token: config.control.token.map(|token| token.0) },
        stale_after: read.span("stale_after", config.market.stale_after, Nanos::from_secs(5))?,
        restarts: read.restarts(config.supervise)?,
        guardian: super::guardian::read(&read, config.guardian)?,
        fx: read.fx(config.fx, currency, names.instruments())?,
        feeds: read.feeds(feeds, names.instruments())?,
        brokers: brokers
            .into_iter()
            .map(|(index, broker)| read.broker(index, broker, config.mode, names.instruments()))
            .collect::<Result<_, _>>()?,
        accounts: account_specs,
        lanes,
        agents: agent_specs,
        day_start: session::day_start(&config.session, names.instruments()),
        limits: read.limits(
            config.limit,
            session::rows(&source, config.session, permits, &names)?,
            &names,
            vocabulary,
            config.mode,
        )?,
        names,
        source,
    })
}

pub(super) fn text(name: &Spanned<Name>) -> &str {
    &name.as_ref().0
}

/// The sections' reader: it knows the file, so that its errors have a place.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
}

impl Reader<'_> {
    pub(super) fn at<T>(&self, value: &Spanned<T>, message: impl Into<String>) -> ConfigError {
        self.source.error(value.span().start, message)
    }

    /// Sections sorted by name, each with its number in the file; a double is an error.
    fn sorted<T>(
        &self,
        what: &str,
        sections: Vec<T>,
        name: fn(&T) -> &Spanned<Name>,
        most: usize,
    ) -> Result<Vec<(usize, T)>, ConfigError> {
        let mut sections: Vec<(usize, T)> = sections.into_iter().enumerate().collect();
        if sections.len() > most {
            return Err(self.at(name(&sections[most].1), format!("more than {most} {what}s")));
        }
        sections.sort_by(|a, b| text(name(&a.1)).cmp(text(name(&b.1))));
        for pair in sections.windows(2) {
            let (first, second) = (name(&pair[0].1), name(&pair[1].1));
            if text(first) == text(second) {
                let (line, _) = self.source.position(first.span().start);
                let message = format!("{what} `{}` is already on line {line}", text(first));
                return Err(self.at(second, message));
            }
        }
        Ok(sections)
    }

    /// A span above zero.
    pub(super) fn span(
        &self,
        key: &str,
        value: Option<Spanned<Text<Nanos>>>,
        default: Nanos,
    ) -> Result<Nanos, ConfigError> {
        match value {
            Some(value) if value.as_ref().0 == Nanos(0) => {
                Err(self.at(&value, format!("`{key}` must be above zero")))
            }
            Some(value) => Ok(value.into_inner().0),
            None => Ok(default),
        }
    }

    /// Whether what has this `lane` is driven by the core lane; else an actor of its own drives it.
    pub(super) fn on_core(&self, lane: Option<&Spanned<String>>) -> Result<bool, ConfigError> {
        match lane {
            None => Ok(false),
            Some(lane) if lane.as_ref() == CORE => Ok(true),
            Some(lane) => Err(self.at(
                lane,
                format!(
                    "`{}`: sockets are on the lane `{CORE}`, or without `lane` an actor's own",
                    lane.as_ref()
                ),
            )),
        }
    }

    pub(super) fn backoff(
        &self,
        keys: [&str; 2],
        min: Option<Spanned<Text<Nanos>>>,
        max: Option<Spanned<Text<Nanos>>>,
    ) -> Result<Backoff, ConfigError> {
        let place = max.as_ref().or(min.as_ref()).map_or(0, |value| value.span().start);
        let backoff = Backoff {
            min: self.span(keys[0], min, Nanos::from_millis(100))?,
            max: self.span(keys[1], max, Nanos::from_secs(5))?,
        };
        if backoff.max < backoff.min {
            let [min, max] = keys;
            return Err(self.source.error(place, format!("`{max}` is shorter than `{min}`")));
        }
        Ok(backoff)
    }

    fn restarts(&self, section: SuperviseSection) -> Result<RestartPolicy, ConfigError> {
        Ok(RestartPolicy {
            restarts: section.restarts.unwrap_or(5),
            window: self.span("window", section.window, Nanos::from_secs(60))?,
            backoff: self.backoff(
                ["backoff_min", "backoff_max"],
                section.backoff_min,
                section.backoff_max,
            )?,
        })
    }

    fn instruments(
        &self,
        sections: Vec<InstrumentSection>,
        currency: Currency,
    ) -> Result<InstrumentTable, ConfigError> {
        let mut table = Vec::with_capacity(sections.len());
        for (_, section) in
            self.sorted("instrument", sections, |i| &i.symbol, usize::from(u16::MAX))?
        {
            let symbol = text(&section.symbol).to_owned();
            if symbol.bytes().any(|b| b.is_ascii_lowercase()) {
                let message = format!("symbol `{symbol}` must be upper case");
                return Err(self.at(&section.symbol, message));
            }
            let above_zero = |key: &str| format!("`{key}` must be above zero");
            if let Some(tick) = section.tick.as_ref().filter(|t| !t.as_ref().0.is_positive()) {
                return Err(self.at(tick, above_zero("tick")));
            }
            if let Some(lot) = section.lot.as_ref().filter(|l| !l.as_ref().0.is_positive()) {
                return Err(self.at(lot, above_zero("lot")));
            }
            if let Some(multiplier) = section.multiplier.as_ref().filter(|m| *m.as_ref() == 0) {
                return Err(self.at(multiplier, above_zero("multiplier")));
            }
            table.push(Instrument {
                symbol,
                tick: section.tick.map_or(Price::from_raw(10_000_000), |tick| tick.into_inner().0),
                lot: section.lot.map_or(Qty::whole(1), |lot| lot.into_inner().0),
                multiplier: section.multiplier.map_or(1, Spanned::into_inner),
                currency: section.currency.map_or(currency, |code| code.0),
                calendar: section.calendar,
            });
        }
        InstrumentTable::new(table).map_err(|message| self.source.missing(message))
    }

    fn fx(
        &self,
        sections: Vec<FxSection>,
        account: Currency,
        instruments: &InstrumentTable,
    ) -> Result<Vec<FxMark>, ConfigError> {
        let mut marks = BTreeMap::new();
        for section in sections {
            let currency = section.currency.as_ref().0;
            let wrong = |message: &str| {
                Err(self.at(&section.currency, format!("`{}` {message}", currency.as_str())))
            };
            if currency == account {
                return wrong("is the account currency: it needs no mark");
            }
            let symbol: &String = section.symbol.as_ref();
            let instrument = instruments.find(symbol).ok_or_else(|| {
                let known = instruments.iter().map(|(_, i)| i.symbol.as_str());
                self.at(&section.symbol, unknown("symbol", symbol, known))
            })?;
            if instruments.get(instrument).currency != account {
                let message = format!("`{symbol}` is not priced in {}", account.as_str());
                return Err(self.at(&section.symbol, message));
            }
            if marks.insert(currency, FxMark { currency, instrument }).is_some() {
                return wrong("has a mark already");
            }
        }
        Ok(marks.into_values().collect())
    }

    /// Rows in the order of the controls. A required control without a global row is an error: a limit
    /// that nobody wrote is not "no limit". Where money is at stake that goes for every control.
    fn limits(
        &self,
        sections: Vec<super::config::LimitSection>,
        sessions: Vec<LimitRow>,
        names: &Names,
        vocabulary: &Vocabulary,
        mode: Mode,
    ) -> Result<Vec<LimitRow>, ConfigError> {
        let mut rows: BTreeMap<(usize, crate::types::Scope), LimitRow> = BTreeMap::new();
        for row in sessions {
            let place = vocabulary.controls.iter().position(|(known, _)| *known == row.control);
            rows.extend(place.map(|place| ((place, row.scope), row)));
        }
        for section in sections {
            let control = section.control.as_ref();
            let place = vocabulary.controls.iter().position(|(known, _)| known == control);
            if control == SESSION {
                let message = "`session` is written in [session] and [[instrument]]";
                return Err(self.at(&section.control, message));
            }
            let place = place.ok_or_else(|| {
                let known = vocabulary.controls.iter().map(|(name, _)| name.as_str());
                self.at(&section.control, unknown("control", control, known))
            })?;
            let scope = names
                .scope(section.scope.as_ref())
                .map_err(|message| self.at(&section.scope, message))?;
            let (line, _) = self.source.position(section.control.span().start);
            if let Some(first) = rows.get(&(place, scope)) {
                let scope = section.scope.as_ref();
                let message = format!("`{control}` for {scope} is already on line {}", first.line);
                return Err(self.at(&section.control, message));
            }
            let row = LimitRow { control: control.clone(), scope, value: section.value, line };
            rows.insert((place, scope), row);
        }
        for (place, (control, required)) in vocabulary.controls.iter().enumerate() {
            if (*required || mode == Mode::Live)
                && !rows.contains_key(&(place, crate::types::Scope::Global))
            {
                return Err(self.source.missing(format!(
                    "missing limit: `{control}` needs a [[limit]] with scope = \"global\"{}",
                    if *required { "" } else { ", if only with value = \"off\"" }
                )));
            }
        }
        Ok(rows.into_values().collect())
    }
}
