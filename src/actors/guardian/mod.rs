//! The guardian: looks at what has happened so far and stops what should not go on. One file a rule,
//! one row a rule in [`RULES`].
//!
//! It is a part of the core: it learns what the core learns, acts in the same step, and a replay does
//! the same again. Rules look when an input comes and their time is due, so nothing has to wake them
//! while nothing happens; those that measure silence name a time at which they must be woken.

mod daily_loss;
mod data_stale;
mod dead_man;
mod denials;
mod drawdown;
mod in_doubt;
mod lasting_hold;
mod reject_storm;
pub mod settings;
mod slippage;
pub mod standing;

pub use settings::{Action, RuleError, RuleSettings, Settings, Values};
pub use standing::Severity;

use super::market::Market;
use super::oms::{Fill, Oms};
use super::risk::Risk;
use super::risk::halts::{Halts, Kill};
use super::saved::{BadState, Saved, put, take};
use crate::kill::Route;
use crate::msg::{Act, Control, Intervention, KillOrder, Rule};
use crate::types::{
    AccountId, AgentId, BrokerId, InstrumentId, KillLevel, Nanos, Notional, Reason, Scope, Side,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use standing::{Move, Standing};

/// Something that happened, for rules that count.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The broker took or refused a new order.
    Answered {
        /// Whose.
        agent: AgentId,
        /// It refused.
        rejected: bool,
    },
    /// A fill was booked.
    Filled {
        /// Whose.
        route: Route,
        /// Which way.
        side: Side,
        /// The rest.
        fill: &'a Fill,
    },
    /// A request was denied.
    Denied {
        /// Whose.
        agent: AgentId,
        /// Why.
        reason: Reason,
    },
    /// A link, a hold, a limit or a doubt may have changed.
    Changed,
    /// An operator is there.
    Heartbeat,
    /// A run begins.
    Boot,
}

/// What a rule may look at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Now.
    pub at: Timestamp,
    /// Orders, positions, money.
    pub oms: &'a Oms,
    /// Limits in force, and whose account is where.
    pub risk: &'a Risk,
    /// Prices.
    pub market: &'a Market,
}

impl View<'_> {
    /// Kills, holds and agent states.
    pub const fn halts(&self) -> &Halts {
        &self.risk.halts
    }

    /// Whether every instrument held, by an account or by an agent, was priced anew after `since`. One
    /// that is quiet for longer than `patience` is taken at its last price.
    pub fn priced_anew(&self, owner: Scope, since: Timestamp, patience: Nanos) -> bool {
        if since == Timestamp::ZERO || self.at.since(since) >= patience {
            return true;
        }
        (0..self.oms.books.instruments().len()).all(|at| {
            let instrument = InstrumentId(at as u16);
            let held = match owner {
                Scope::Account(id) => self.oms.books.account(id, instrument).position,
                Scope::Agent(id) => self.oms.books.agent(id, instrument).position,
                _ => return true,
            };
            held.is_zero() || self.market.updated(instrument) > since
        })
    }
}

/// When a rule wants to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// With the first input from here on.
    pub look: Timestamp,
    /// Without any input at this time.
    pub wake: Timestamp,
}

impl Next {
    /// With the first input after a while.
    pub fn after(at: Timestamp, every: Nanos) -> Self {
        Self { look: at + every, wake: Timestamp::MAX }
    }

    /// When told of something.
    pub const NEVER: Self = Self { look: Timestamp::MAX, wake: Timestamp::MAX };

    /// At this time, with or without an input.
    pub const fn woken(at: Timestamp) -> Self {
        Self { look: at, wake: at }
    }
}

/// A rule at work.
pub trait Watcher: Send + std::fmt::Debug {
    /// Hears of something; whether it wants to look at once.
    fn hear(&mut self, _at: Timestamp, _event: &Event<'_>) -> bool {
        false
    }

    /// Looks, and says what it found by scope. A scope that it does not name stays as it was.
    fn look(&mut self, view: &View<'_>, found: &mut Vec<(Scope, Severity)>) -> Next;

    /// How far scopes are from what it would find, for people.
    fn used(&self, _view: &View<'_>) -> Vec<(Scope, String)> {
        Vec::new()
    }

    /// An operator armed a scope that this rule had tripped: what stood against it is accepted.
    fn accept(&mut self, _scope: Scope) {}

    /// What decides later findings: for the digest, for snapshots, and for a rule of the same kind
    /// with other settings.
    fn state(&self) -> &dyn Saved;

    /// The same, to load it.
    fn state_mut(&mut self) -> &mut dyn Saved;
}

/// The two methods of a [`Watcher`] that give access to its state, one field.
macro_rules! kept_in {
    ($field:ident) => {
        fn state(&self) -> &dyn $crate::actors::saved::Saved {
            &self.$field
        }
        fn state_mut(&mut self) -> &mut dyn $crate::actors::saved::Saved {
            &mut self.$field
        }
    };
}
use kept_in;

/// What a rule is built from.
#[derive(Debug)]
pub struct Setup<'a> {
    /// Between two looks.
    pub every: Nanos,
    /// By account: its broker, and the money it began with.
    pub accounts: &'a [(BrokerId, Notional)],
    /// So many agents, fixed ones included.
    pub agents: usize,
}

/// Builds a rule from its values; nothing for one that lacks the figure it needs to be on.
pub type Build = fn(&mut Values, &Setup<'_>) -> Result<Option<Box<dyn Watcher>>, String>;

/// One rule with its defaults.
#[derive(Debug, Clone, Copy)]
pub struct RuleRow {
    /// Which.
    pub rule: Rule,
    /// Its number among the controls, if it has one.
    pub control: Option<&'static str>,
    /// What it does near its limit.
    pub warn: Action,
    /// What it does beyond it.
    pub action: Action,
    /// Looks in a row that must find the same.
    pub confirm: u32,
    /// How it is built.
    pub build: Build,
}

const fn row(rule: Rule, [warn, action]: [Action; 2], confirm: u32, build: Build) -> RuleRow {
    let control = match rule {
        Rule::DailyLoss => Some("C15"),
        Rule::Drawdown => Some("C16"),
        Rule::RejectStorm => Some("C17"),
        Rule::Slippage => Some("C18"),
        _ => None,
    };
    RuleRow { rule, control, warn, action, confirm, build }
}

const OFF: Action = Action::Off;
const REDUCE: Action = Action::Kill(KillLevel::ReduceOnly);
const BLOCK: Action = Action::Kill(KillLevel::Block);
const CANCEL: Action = Action::Kill(KillLevel::Cancel);

/// Every rule, in the order in which they act.
pub const RULES: &[RuleRow] = &[
    row(Rule::DailyLoss, [REDUCE, CANCEL], 3, daily_loss::build),
    row(Rule::Drawdown, [REDUCE, CANCEL], 3, drawdown::build),
    row(Rule::RejectStorm, [OFF, BLOCK], 1, reject_storm::build),
    row(Rule::Slippage, [OFF, BLOCK], 1, slippage::build),
    row(Rule::Denials, [OFF, BLOCK], 1, denials::build),
    row(Rule::InDoubt, [OFF, BLOCK], 1, in_doubt::build),
    row(Rule::PositionMismatch, [OFF, BLOCK], 1, lasting_hold::position_mismatch),
    row(Rule::LinkLost, [OFF, BLOCK], 1, lasting_hold::link_lost),
    row(Rule::HeartbeatLost, [OFF, BLOCK], 1, lasting_hold::heartbeat_lost),
    row(Rule::DataStale, [OFF, Action::Hold], 1, data_stale::build),
    row(Rule::DeadMan, [BLOCK, CANCEL], 1, dead_man::build),
];

#[derive(Debug)]
struct Slot {
    rule: Rule,
    actions: [Action; 2],
    confirm: u32,
    next: Next,
    watcher: Box<dyn Watcher>,
}

/// All rules that are on.
#[derive(Debug)]
pub struct Guardian {
    slots: Vec<Slot>,
    /// The values of every row of [`RULES`], in its order.
    values: Vec<String>,
    standing: Standing,
    cool_off: Nanos,
    /// The soonest of all looks, and of all wakes.
    next: Next,
    /// Boot number, and trips minted in this boot.
    minted: (u32, u32),
    found: Vec<(Scope, Severity)>,
}

impl Default for Guardian {
    /// A guardian without rules: it still counts how often a trigger of the driver comes back.
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            values: Vec::new(),
            standing: Standing::default(),
            cool_off: Settings::default().cool_off,
            next: Next::NEVER,
            minted: (0, 0),
            found: Vec::new(),
        }
    }
}

impl Guardian {
    /// Builds every rule.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn new(
        settings: &Settings,
        accounts: &[(BrokerId, Notional)],
        agents: usize,
    ) -> Result<Self, RuleError> {
        let setup = Setup { every: settings.every, accounts, agents };
        if let Some(stranger) =
            settings.rules.iter().find(|own| !RULES.iter().any(|row| row.rule.name() == own.rule))
        {
            let known: Vec<&str> = RULES.iter().map(|row| row.rule.name()).collect();
            let message = format!("`{}` is not a rule: {}", stranger.rule, known.join(", "));
            return Err(RuleError { line: stranger.line, message });
        }
        let (mut slots, mut shown) = (Vec::new(), Vec::new());
        for row in RULES {
            let own = settings.rules.iter().find(|own| own.rule == row.rule.name());
            let values = own.map(|own| own.values.clone()).unwrap_or_default();
            let built = slot(row, Values::new(values), &setup);
            let (slot, values) = built.map_err(|message| RuleError {
                line: own.map_or(1, |own| own.line),
                message: format!("guardian rule {}: {message}", row.rule.name()),
            })?;
            shown.push(if slot.is_some() { values } else { "off".to_owned() });
            slots.extend(slot);
        }
        let mut guardian =
            Self { slots, values: shown, cool_off: settings.cool_off, ..Self::default() };
        guardian.plan();
        Ok(guardian)
    }

    /// With the first input from here on there is something to look at.
    #[inline]
    pub const fn look_at(&self) -> Timestamp {
        self.next.look
    }

    /// Without any input there is something to look at then.
    pub const fn wake_at(&self) -> Timestamp {
        self.next.wake
    }

    /// Findings that something was done about and that still stand.
    pub fn stands(&self) -> impl Iterator<Item = (Rule, Scope)> {
        self.standing.stands()
    }

    /// Tells every rule of something.
    pub fn hear(&mut self, at: Timestamp, event: &Event<'_>) {
        for slot in &mut self.slots {
            if slot.watcher.hear(at, event) {
                slot.next.look = at;
                self.next.look = self.next.look.min(at);
            }
        }
    }

    /// Takes in a control message; a trigger of the driver that came back is raised harder.
    pub fn control(&mut self, at: Timestamp, control: &Control) -> Option<Intervention> {
        match control {
            Control::Boot { epoch, .. } => {
                self.minted = (*epoch, 0);
                self.standing.rebooted();
                self.hear(at, &Event::Boot);
            }
            Control::Heartbeat => self.hear(at, &Event::Heartbeat),
            Control::Arm(KillOrder { scope, .. }) => {
                let rules: Vec<Rule> = self.standing.tripped_on(*scope).collect();
                for slot in self.slots.iter_mut().filter(|slot| rules.contains(&slot.rule)) {
                    slot.watcher.accept(*scope);
                }
                self.standing.armed(at, *scope);
                // Whoever arms everything is there.
                if *scope == Scope::Global {
                    self.hear(at, &Event::Heartbeat);
                }
            }
            // A boot tells again of the trips in force: those have not come back, they never went.
            Control::Kill(KillOrder { scope, level, rule: Some(rule), .. })
                if !self.standing.tripped_on(*scope).any(|known| known == *rule) =>
            {
                let (raised, cool_off) =
                    self.standing.escalate(at, *rule, *scope, *level, self.cool_off);
                if raised > *level {
                    return Some(self.kill(*rule, *scope, raised, cool_off));
                }
            }
            _ => self.hear(at, &Event::Changed),
        }
        None
    }

    fn kill(
        &mut self,
        rule: Rule,
        scope: Scope,
        level: KillLevel,
        cool_off: Nanos,
    ) -> Intervention {
        self.minted.1 += 1;
        // The latch file counts its own trips from 1: they never get this far.
        let episode = u64::from(self.minted.0.max(1)) << 32 | u64::from(self.minted.1);
        Intervention { rule, scope, act: Act::Kill { level, episode, cool_off } }
    }

    /// Has every rule that is due look, and says what to do about what they found.
    pub fn look(&mut self, view: &View<'_>, into: &mut Vec<Intervention>) {
        let mut found = std::mem::take(&mut self.found);
        for number in 0..self.slots.len() {
            let slot = &mut self.slots[number];
            if slot.next.look > view.at {
                continue;
            }
            found.clear();
            slot.next = slot.watcher.look(view, &mut found);
            // A rule that wants to look again in this very moment would do so for ever.
            slot.next.look = slot.next.look.max(view.at + Nanos(1));
            let (rule, actions, confirm) = (slot.rule, slot.actions, slot.confirm);
            for &(scope, severity) in &found {
                let key = (rule, scope);
                let todo =
                    self.standing.note(view.at, key, severity, actions, confirm, self.cool_off);
                match todo {
                    Some(Move::Hold(on)) => {
                        into.push(Intervention { rule, scope, act: Act::Hold(on) });
                    }
                    Some(Move::Kill(level, cool_off)) => {
                        let kill = match view.halts().kill_of(scope) {
                            // A kill that stands as high stays what it is; whoever arms it has to
                            // know of this as well.
                            Some(Kill { level: stands, episode, .. }) if stands >= level => {
                                let act = Act::Kill { level: stands, episode, cool_off };
                                Intervention { rule, scope, act }
                            }
                            _ => self.kill(rule, scope, level, cool_off),
                        };
                        into.push(kill);
                    }
                    None => {}
                }
            }
        }
        self.found = found;
        self.plan();
    }

    /// Every rule with its values, `off` for one that does not look.
    pub fn rules(&self) -> impl Iterator<Item = (&'static RuleRow, &str)> {
        RULES.iter().zip(&self.values).map(|(row, values)| (row, values.as_str()))
    }

    /// How near each scope is to what a rule would find, and whether the rule has tripped it.
    pub fn used(&self, rule: Rule, view: &View<'_>) -> Vec<(Scope, String)> {
        let Some(slot) = self.slots.iter().find(|slot| slot.rule == rule) else {
            return Vec::new();
        };
        let mut used = slot.watcher.used(view);
        for (scope, _) in self.standing.tripped().filter(|(_, tripped)| *tripped == rule) {
            match used.iter_mut().find(|(on, _)| *on == scope) {
                Some((_, text)) => text.push_str(", tripped"),
                None => used.push((scope, "tripped".to_owned())),
            }
        }
        used
    }

    fn plan(&mut self) {
        self.next = self.slots.iter().fold(Next::NEVER, |next, slot| Next {
            look: next.look.min(slot.next.look),
            wake: next.wake.min(slot.next.wake),
        });
    }

    /// Goes on from what a guardian with other settings knew.
    pub fn carry_over(&mut self, old: Self) {
        for slot in &mut self.slots {
            if let Some(old) = old.slots.iter().find(|old| old.rule == slot.rule) {
                let mut state = Vec::new();
                old.watcher.state().save(&mut state);
                // The same rule has the same kind of state.
                let _ = slot.watcher.state_mut().load(&mut state.as_slice());
            }
        }
        self.standing = old.standing;
        self.minted = old.minted;
    }

    /// Appends everything that decides what it does next.
    pub(super) fn save(&self, into: &mut Vec<u8>) {
        for slot in &self.slots {
            put(&(slot.rule, slot.next), into);
            slot.watcher.state().save(into);
        }
        put(&(&self.standing, self.minted), into);
    }

    /// Takes what [`Self::save`] made of a guardian with the same settings.
    pub(super) fn load(&mut self, from: &mut &[u8]) -> Result<(), BadState> {
        for slot in &mut self.slots {
            let rule: Rule;
            (rule, slot.next) = take(from)?;
            if rule != slot.rule {
                return Err(BadState(slot.rule.name()));
            }
            slot.watcher.state_mut().load(from)?;
        }
        (self.standing, self.minted) = take(from)?;
        self.plan();
        Ok(())
    }
}

/// A rule ready to look; nothing if it is off.
/// Second, its values as text.
fn slot(
    row: &RuleRow,
    mut values: Values,
    setup: &Setup<'_>,
) -> Result<(Option<Slot>, String), String> {
    let actions = [values.take("warn", row.warn)?, values.take("action", row.action)?];
    let confirm = values.count("confirm", row.confirm)?;
    let counts = matches!(row.rule, Rule::RejectStorm | Rule::Slippage | Rule::Denials);
    if counts && actions.contains(&Action::Hold) {
        return Err("cannot hold: nothing would say that the hold can end".to_owned());
    }
    let watcher = (row.build)(&mut values, setup)?;
    let shown = values.end()?;
    let next = Next { look: Timestamp::ZERO, wake: Timestamp::MAX };
    let slot = watcher.filter(|_| actions != [OFF, OFF]).map(|watcher| Slot {
        rule: row.rule,
        actions,
        confirm,
        next,
        watcher,
    });
    Ok((slot, shown))
}

/// Accounts by number.
fn accounts(setup: &Setup<'_>) -> Vec<(AccountId, BrokerId, Notional)> {
    let number = |(at, (broker, capital)): (usize, &(BrokerId, Notional))| {
        (AccountId(at as u16), *broker, *capital)
    };
    setup.accounts.iter().enumerate().map(number).collect()
}
