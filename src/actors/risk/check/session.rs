//! C21: the trading session. An order needs a market that takes it now, by its calendar and its time
//! in force; nothing opens in a halted instrument; a restricted one is not traded at all; a short
//! sale of a stock needs a located share. Values, by symbol: words of a list.
//!
//! | word | meaning |
//! |---|---|
//! | `calendar` | what always holds: the instrument's calendar |
//! | `outside_hours` | limit orders marked for it may trade before and after regular hours |
//! | `restricted` | no orders at all, only cancels |
//! | `locate 1000`, `locate any` | may be sold short, up to so many units an account |
//! | `short_restricted` | short sales only by limit orders above the best bid |
//!
//! Whatever is not granted is denied. Locates are for stocks: a calendar of `always` needs none.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::Value;
use super::{Case, Check, rows_in};
use crate::actors::market::MarketState;
use crate::kill::Effect;
use crate::types::{
    Calendar, LimitRow, LimitValue, OrdType, Phase, Qty, Reason, Scope, Side, TimeInForce,
};

/// The control's name.
pub const NAME: &str = "session";

/// What is said of one instrument.
#[derive(Debug, Clone, Copy, Default)]
struct Rules {
    outside_hours: bool,
    restricted: bool,
    short_restricted: bool,
    /// Units that an account may be short.
    located: Qty,
}

/// The words of a row and what they come to.
#[derive(Debug, Clone)]
struct Words {
    rules: Rules,
    text: String,
}

impl Value for Words {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        let words: Vec<&str> = match value {
            LimitValue::List(words) => words.iter().map(String::as_str).collect(),
            LimitValue::Text(text) => text.split(',').map(str::trim).collect(),
        };
        let mut rules = Rules::default();
        words.iter().try_for_each(|word| rules.read(word))?;
        Ok(Self { rules, text: words.join(", ") })
    }
    fn text(&self) -> String {
        self.text.clone()
    }
    fn within(&self, old: &Self) -> bool {
        let (new, old) = (self.rules, old.rules);
        new.outside_hours <= old.outside_hours
            && new.located <= old.located
            && new.restricted >= old.restricted
            && new.short_restricted >= old.short_restricted
    }
    fn only_denies(&self) -> bool {
        !self.rules.outside_hours && self.rules.located.is_zero()
    }
}

#[derive(Debug)]
struct Session(Limits<Words>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    let narrow = |row: &&LimitRow| {
        row.control == NAME && !matches!(row.scope, Scope::Global | Scope::Symbol(_))
    };
    if let Some(row) = rows.iter().find(narrow) {
        return Err(LimitError::of(row, "the scope is global or a symbol"));
    }
    Ok(Box::new(Session(Limits::new(NAME, rows, known)?)))
}

impl Rules {
    /// What both say: what either grants is granted, what either forbids is forbidden.
    fn and(self, other: Self) -> Self {
        Self {
            outside_hours: self.outside_hours || other.outside_hours,
            restricted: self.restricted || other.restricted,
            short_restricted: self.short_restricted || other.short_restricted,
            located: self.located.max(other.located),
        }
    }

    fn read(&mut self, word: &str) -> Result<(), String> {
        match word {
            "calendar" => {}
            "outside_hours" => self.outside_hours = true,
            "restricted" => self.restricted = true,
            "short_restricted" => self.short_restricted = true,
            "locate any" => self.located = Qty::MAX,
            _ => match word.strip_prefix("locate ") {
                Some(units) => {
                    self.located = units.parse().map_err(|error| format!("`{units}`: {error}"))?;
                    if !self.located.is_positive() {
                        return Err(format!("`{units}` must be above zero"));
                    }
                }
                None => return Err(format!("`{word}` is not one of its words")),
            },
        }
        Ok(())
    }

    /// Whether the market takes this order now.
    fn hours(&self, case: &Case<'_>) -> Result<(), Reason> {
        let (terms, at) = (case.terms, case.at);
        let tif = terms.tif;
        if case.instrument.calendar == Calendar::Always {
            let auction = matches!(tif, TimeInForce::Opg | TimeInForce::Cls);
            return if auction { Err(Reason::NoAuction) } else { Ok(()) };
        }
        let outside = terms.extended_hours;
        if outside && !(self.outside_hours && matches!(terms.ord_type, OrdType::Limit { .. })) {
            return Err(Reason::OutsideHours);
        }
        let session = case.instrument.calendar.session(at).ok_or(Reason::MarketClosed)?;
        let phase = session.phase(at);
        let waits = case.is_leg && case.added.is_zero();
        match tif {
            TimeInForce::Opg if at < session.open => Ok(()),
            TimeInForce::Cls if at < session.close => Ok(()),
            TimeInForce::Opg | TimeInForce::Cls => Err(Reason::NoAuction),
            // It stands until a session comes that takes it.
            TimeInForce::Gtc => Ok(()),
            _ if phase.takes(outside) || waits => Ok(()),
            TimeInForce::Gtd => {
                let begins = match outside {
                    true => Some(session.pre),
                    false => case.instrument.calendar.next_open(at),
                };
                let lives = terms.expire_at.zip(begins).is_some_and(|(end, begins)| end > begins);
                if lives { Ok(()) } else { Err(Reason::MarketClosed) }
            }
            TimeInForce::Day | TimeInForce::Ioc | TimeInForce::Fok => match phase {
                Phase::Closed => Err(Reason::MarketClosed),
                Phase::Pre | Phase::Regular | Phase::Post => Err(Reason::OutsideHours),
            },
        }
    }

    /// Whether a sale that may leave the account short has its shares and its price.
    fn short_sale(&self, case: &Case<'_>) -> Result<(), Reason> {
        if case.terms.side == Side::Buy || case.instrument.calendar == Calendar::Always {
            return Ok(());
        }
        let short = -case.account.with(Side::Sell, case.added).shortest();
        if !short.is_positive() {
            return Ok(());
        }
        if case.added.is_positive() && short > self.located {
            return Err(Reason::ShortLocate);
        }
        if self.short_restricted {
            let bid = case.market.touch(case.route.instrument).bid;
            let above = |price| bid.is_positive() && price > bid;
            if !case.terms.ord_type.limit_price().is_some_and(above) {
                return Err(Reason::ShortRestricted);
            }
        }
        Ok(())
    }
}

impl Check for Session {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let instrument = case.route.instrument;
        let rows = self.0.on(case.route).map(|(_, words)| words.rules);
        let rules = rows.fold(Rules::default(), Rules::and);
        if rules.restricted {
            return Err(Reason::Restricted);
        }
        let halted = case.market.state(instrument, case.at) == MarketState::Halted;
        if planted!(HaltPasses, halted, false) && case.effect == Effect::Opens {
            return Err(Reason::Halted);
        }
        rules.hours(case)?;
        rules.short_sale(case)
    }

    rows_in!(0);
}
