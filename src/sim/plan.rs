//! What a session is made of: drawn from its seed, changed by options, printed when it fails.

use super::dice::Dice;
use super::fault::Fault;
use crate::types::{KillLevel, Nanos};
use std::fmt::Write;

/// Whose brokers a session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Broker {
    /// Sandboxes: two or three of them.
    #[default]
    Sandbox,
    /// One account at Alpaca, byte by byte.
    Alpaca,
}

impl Broker {
    /// The word in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Alpaca => "alpaca",
        }
    }
}

impl std::str::FromStr for Broker {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Sandbox, Self::Alpaca].into_iter().find(|one| one.name() == text);
        known.ok_or_else(|| format!("`{text}` is no broker: sandbox, alpaca"))
    }
}

/// A fault at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injection {
    /// After the start.
    pub at: Nanos,
    /// Which.
    pub fault: Fault,
    /// Where; a number to choose by.
    pub place: u64,
}

/// A kill at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// After the start.
    pub at: Nanos,
    /// How hard.
    pub level: KillLevel,
    /// Which scope; a number to choose by.
    pub place: u64,
    /// Between an approval and its write, not between two inputs.
    pub mid_send: bool,
}

/// A session before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// Broker connections.
    pub brokers: u64,
    /// Accounts of each.
    pub accounts: u64,
    /// Instruments.
    pub instruments: u64,
    /// Agents on the core's lane.
    pub agents: u64,
    /// Market records.
    pub records: u64,
    /// The one broker is Alpaca's, byte by byte, and takes so many requests a minute.
    pub alpaca: Option<u32>,
    /// Limits that hardly ever bite.
    pub generous: bool,
    /// Faults, in the order of their times.
    pub faults: Vec<Injection>,
    /// Kills.
    pub trips: Vec<Trip>,
}

/// Mean span between two market records.
pub const INTERVAL: Nanos = Nanos::from_millis(40);

impl Plan {
    /// The plan of a seed: which faults there are differs from seed to seed, so that each session
    /// dwells on a few of them.
    pub fn swarm(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let records = dice.between(1_800, 2_600);
        let length = records * INTERVAL.0;
        let kinds = Fault::ALL.iter().filter(|kind| !super::alpaca::ONLY.contains(kind));
        let kinds: Vec<Fault> = kinds.copied().collect();
        let mut faults = Vec::new();
        for _ in 0..dice.between(3, 9) {
            let Some(&fault) = dice.pick(&kinds) else { continue };
            let most = if is_heavy(fault) { 2 } else { 4 };
            for _ in 0..dice.between(1, most) {
                let at = Nanos(dice.below(length));
                faults.push(Injection { at, fault, place: dice.below(1 << 32) });
            }
        }
        faults.sort_by_key(|injection| injection.at);
        let mut trips = Vec::new();
        for _ in 0..dice.below(24) {
            let levels = [
                KillLevel::ReduceOnly,
                KillLevel::ReduceOnly,
                KillLevel::Block,
                KillLevel::Cancel,
                KillLevel::Flatten,
                KillLevel::Isolate,
            ];
            trips.push(Trip {
                at: Nanos(dice.below(length)),
                level: dice.pick(&levels).copied().unwrap_or_default(),
                place: dice.below(1 << 32),
                mid_send: dice.chance(600),
            });
        }
        trips.sort_by_key(|trip| trip.at);
        Self {
            seed,
            brokers: dice.between(2, 3),
            accounts: dice.between(1, 2),
            instruments: dice.between(2, 5),
            agents: dice.between(3, 5),
            records,
            alpaca: None,
            generous: false,
            faults,
            trips,
        }
    }

    /// The plan of a seed at an Alpaca account.
    pub fn alpaca(seed: u64) -> Self {
        let mut plan = Self::swarm(seed);
        let mut dice = Dice::new(seed, 9);
        (plan.brokers, plan.accounts) = (1, 1);
        plan.alpaca = dice.pick(&[200, 1_000, 10_000]).copied();
        for injection in &mut plan.faults {
            let kinds = super::alpaca::FAULTS;
            injection.fault = dice.pick(kinds).copied().unwrap_or(injection.fault);
        }
        plan
    }

    /// The plan of a seed without faults and kills: what scenarios begin with.
    pub fn calm(seed: u64) -> Self {
        Self { faults: Vec::new(), trips: Vec::new(), ..Self::swarm(seed) }
    }

    /// Keeps only these kinds of faults.
    pub fn only(&mut self, kinds: &[Fault]) {
        self.faults.retain(|injection| kinds.contains(&injection.fault));
    }

    /// The configuration.
    pub fn config(&self) -> String {
        let mut dice = Dice::new(self.seed, 2);
        let mut text = String::from(
            "mode = \"sandbox\"\ncurrency = \"USD\"\n[control]\nlisten = \"127.0.0.1:0\"\n\
             [market]\nstale_after = \"5s\"\n",
        );
        let mut names = Vec::new();
        for number in 0..self.instruments {
            if self.alpaca.is_some() {
                names.push(format!("\"S{number}\""));
                let _ = write!(
                    text,
                    "[[instrument]]\nsymbol = \"S{number}\"\ntick = \"0.01\"\nlot = \"1\"\n"
                );
                continue;
            }
            let tick = ["0.01", "0.05", "1"][dice.below(3) as usize];
            let lot = ["1", "1", "10", "0.001"][dice.below(4) as usize];
            names.push(format!("\"S{number}\""));
            let _ = write!(
                text,
                "[[instrument]]\nsymbol = \"S{number}\"\ntick = \"{tick}\"\nlot = \"{lot}\"\n"
            );
        }
        let symbols = names.join(", ");
        text += "[[feed]]\nname = \"f\"\nkind = \"generated\"\n[feed.params]\nseed = 1\n";
        for broker in 0..self.brokers {
            let kind = match self.alpaca {
                None => "kind = \"sandbox\"\naddr = \"127.0.0.1:1\"".to_owned(),
                Some(rate) => format!(
                    "kind = \"alpaca\"\nparams = {{ url = \"http://127.0.0.1:1\", rate = {rate} }}"
                ),
            };
            let _ = write!(
                text,
                "[[broker]]\nname = \"b{broker}\"\n{kind}\n\
                 ack_timeout = \"2s\"\nabsence_after = \"5s\"\nreconcile_every = \"{}s\"\n",
                dice.between(8, 25)
            );
            for account in 0..self.accounts {
                let _ = write!(
                    text,
                    "[[account]]\nname = \"b{broker}a{account}\"\nbroker = \"b{broker}\"\n"
                );
            }
        }
        text += "[[lane]]\nname = \"far\"\n";
        for agent in 0..self.agents {
            let (broker, account) = (dice.below(self.brokers), dice.below(self.accounts));
            let _ = write!(
                text,
                "[[agent]]\nname = \"g{agent}\"\nkind = \"{}\"\naccount = \"b{broker}a{account}\"\n\
                 symbols = [{symbols}]\n[agent.params]\nseed = {}\nactivity = {}\n",
                super::agent::KIND,
                dice.below(1 << 50),
                dice.between(60, 260),
            );
        }
        let _ = write!(
            text,
            "[[agent]]\nname = \"remote\"\nkind = \"observer\"\naccount = \"b0a0\"\n\
             symbols = [{symbols}]\nlane = \"far\"\n"
        );
        let pick = |dice: &mut Dice, values: &[&'static str]| {
            let drawn = dice.pick(values);
            if self.generous { values.last() } else { drawn }.copied().unwrap_or_default()
        };
        let limits = [
            ("symbol_list", "global", format!("[{symbols}]")),
            ("duplicate_intent", "global", "\"deny\"".to_owned()),
            ("order_rate", "global", format!("\"{}\"", pick(&mut dice, RATES))),
            (
                "max_order_qty",
                "global",
                format!("\"{}\"", pick(&mut dice, &["60", "500", "10000"])),
            ),
            (
                "max_order_value",
                "global",
                format!("\"{}\"", pick(&mut dice, &["5000", "200000", "1000000000"])),
            ),
            ("price_collar", "global", format!("\"{}\"", pick(&mut dice, &["1%", "5%", "30%"]))),
            ("max_position", "global", format!("\"{}\"", pick(&mut dice, &["80", "400", "5000"]))),
            ("max_position", "agent:g0", format!("\"{}\"", pick(&mut dice, &["30", "100"]))),
            ("daily_loss", "global", format!("\"{}\"", pick(&mut dice, &["500", "1000000"]))),
        ];
        let more = [
            ("open_orders", ["20", "1000"]),
            ("repeated_order", ["12/10s", "1000/10s"]),
            ("price_drift", ["5%/60s", "90%/60s"]),
            ("gross_exposure", ["50000", "1000000000"]),
            ("net_exposure", ["30000", "1000000000"]),
            ("self_match", ["cancel_new", "cancel_old"]),
            ("message_budget", ["60/10s", "100000/1s"]),
            ("approval_age", ["250ms", "5s"]),
            ("stale_data", ["3s", "60s"]),
            ("day_orders", ["150", "1000000"]),
            ("day_value_sent", ["3000000", "1000000000000"]),
            ("day_value_traded", ["3000000", "1000000000000"]),
        ];
        // Each session has some of them: what all together let through is little.
        for (control, values) in more {
            if !dice.chance(350) && !self.generous {
                continue;
            }
            let value = pick(&mut dice, &values);
            let _ = write!(
                text,
                "[[limit]]\ncontrol = \"{control}\"\nscope = \"global\"\nvalue = \"{value}\"\n"
            );
        }
        for (control, scope, value) in limits {
            if scope == "agent:g0" && self.agents == 0 {
                continue;
            }
            let _ = write!(
                text,
                "[[limit]]\ncontrol = \"{control}\"\nscope = \"{scope}\"\nvalue = {value}\n"
            );
        }
        text
    }
}

/// Rates of orders that a session may allow.
const RATES: &[&str] = &["8/1s", "40/1s", "1000/1s"];

/// Faults that take much of a session's time.
const fn is_heavy(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Maintenance | Fault::DiskFull | Fault::DiskError | Fault::PowerLoss | Fault::Kill9
    )
}
