//! Rules of the guardian at their edge, with one bad tick, and through an arm.

use super::*;
use crate::actors::guardian::{Guardian, RuleSettings, Settings, View};
use crate::journal::Derived;
use crate::msg::{Act, HoldKind, Intervention, Rule};

const ACCOUNT: Scope = Scope::Account(AccountId(0));

/// A rig whose guardian has these values for one rule.
fn guarded(rule: &str, values: &[(&str, &str)], limits: &[LimitRow]) -> Rig {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let rules = vec![RuleSettings { rule: rule.to_owned(), values: values.collect(), line: 1 }];
    let settings = Settings { rules, ..Settings::default() };
    let capital = [(BrokerId(0), Notional::whole(1_000))];
    let guardian = Guardian::new(&settings, &capital, 4).unwrap();
    let Rig { core, market, at, seq } = rig(limits);
    Rig { core: core.guarded_by(guardian, &settings), market, at, seq }
}

fn interventions(out: &CoreOut) -> Vec<Intervention> {
    let done = |derived: &Derived| match derived {
        Derived::Intervened(done) => Some(*done),
        _ => None,
    };
    out.derived.iter().filter_map(done).collect()
}

/// Level raised, by rule and scope.
fn raised(out: &CoreOut) -> Vec<(Rule, Scope, KillLevel)> {
    let kill = |done: Intervention| match done.act {
        Act::Kill { level, .. } => Some((done.rule, done.scope, level)),
        Act::Hold(_) => None,
    };
    interventions(out).into_iter().filter_map(kill).collect()
}

impl Rig {
    /// A second later: a new price, if there is one, and a look.
    fn second(&mut self, price: Option<(&str, &str)>) -> CoreOut {
        self.at = self.at + Nanos::from_secs(1);
        if let Some((bid, ask)) = price {
            self.quote(IBM, bid, ask);
        }
        self.core.begin_day(self.at, &self.market);
        let mut out = CoreOut::default();
        self.core.guard(self.at, &self.market, &mut out);
        out
    }

    fn buy_ten(&mut self) {
        let (id, _) = self.order(Side::Buy, 10, "100");
        self.fill(id, 10, 10, "100", OrdStatus::Filled);
        assert!(raised(&self.second(Some(("99.99", "100.01")))).is_empty());
    }
}

#[test]
fn the_days_loss_warns_at_four_fifths_and_acts_at_the_limit() {
    // A loss of 39.9, 40, 49.9, 50 of 50 allowed, after three looks at new prices.
    let table = [
        (("96.00", "96.02"), None),
        (("95.99", "96.01"), Some(KillLevel::ReduceOnly)),
        (("95.00", "95.02"), Some(KillLevel::ReduceOnly)),
        (("94.99", "95.01"), Some(KillLevel::Cancel)),
    ];
    for (price, expected) in table {
        let mut rig = guarded("daily_loss", &[], &[row("daily_loss", Scope::Global, "50")]);
        rig.buy_ten();
        for _ in 0..2 {
            assert!(raised(&rig.second(Some(price))).is_empty(), "not confirmed");
        }
        let out = rig.second(Some(price));
        let expected: Vec<_> =
            expected.into_iter().map(|level| (Rule::DailyLoss, ACCOUNT, level)).collect();
        assert_eq!(raised(&out), expected, "{price:?}");
        assert!(raised(&rig.second(Some(price))).is_empty(), "once");
        // The kill holds in the very core that decided it.
        let verdict = rig.order(Side::Buy, 1, "95").1;
        assert_eq!(verdict == Err(Reason::Kill), !expected.is_empty());
    }
}

#[test]
fn one_bad_tick_halts_nobody() {
    for rule in ["daily_loss", "drawdown"] {
        let values: &[(&str, &str)] = if rule == "drawdown" { &[("limit", "50")] } else { &[] };
        let mut rig = guarded(rule, values, &[row("daily_loss", Scope::Global, "50")]);
        rig.buy_ten();
        let mut all = Vec::new();
        for _ in 0..5 {
            all.extend(raised(&rig.second(Some(("1.00", "1.02")))));
            // It is looked at again and again, but it is one price.
            all.extend(raised(&rig.second(None)));
            all.extend(raised(&rig.second(None)));
            all.extend(raised(&rig.second(Some(("99.99", "100.01")))));
            // A bad one on the other side is no peak either.
            all.extend(raised(&rig.second(Some(("999.99", "1000.01")))));
            all.extend(raised(&rig.second(Some(("99.99", "100.01")))));
        }
        assert_eq!(all, [], "{rule}");
    }
}

#[test]
fn drawdown_counts_from_the_peak_and_an_arm_accepts_what_was_lost() {
    // Ten bought at 100 with 1,000: at 110 the peak is 1,100, a tenth of it is 110.
    let mut rig = guarded("drawdown", &[("limit", "10%")], &[]);
    rig.buy_ten();
    for _ in 0..4 {
        assert!(raised(&rig.second(Some(("109.99", "110.01")))).is_empty());
    }
    let fall = |rig: &mut Rig, price| {
        (0..3).flat_map(|_| raised(&rig.second(Some(price)))).collect::<Vec<_>>()
    };
    assert_eq!(fall(&mut rig, ("101.20", "101.22")), [], "87.9 of 88");
    let warned = [(Rule::Drawdown, ACCOUNT, KillLevel::ReduceOnly)];
    assert_eq!(fall(&mut rig, ("101.19", "101.21")), warned);
    let out = (0..3).map(|_| rig.second(Some(("98.99", "99.01")))).last().unwrap();
    let [done] = interventions(&out)[..] else { panic!("{:?}", out.derived) };
    let Act::Kill { level: KillLevel::Cancel, episode, cool_off } = done.act else {
        panic!("{done:?}")
    };
    assert_eq!(cool_off, Nanos::from_secs(30));
    assert_eq!(rig.core.guardian.stands().collect::<Vec<_>>(), [(Rule::Drawdown, ACCOUNT)]);
    let arm = KillOrder {
        scope: ACCOUNT,
        level: KillLevel::Normal,
        reason: "seen".into(),
        episode,
        rule: Some(Rule::Drawdown),
    };
    rig.core.control(rig.at, &Control::Arm(arm), &mut CoreOut::default());
    assert_eq!(fall(&mut rig, ("98.99", "99.01")), [], "accepted");
    // From 990 on another tenth, within a quarter of an hour: harder, and longer to cool off.
    let again = fall(&mut rig, ("90.99", "91.01"));
    assert_eq!(again, [(Rule::Drawdown, ACCOUNT, KillLevel::Block)]);
}

#[test]
fn a_broker_that_refuses_too_much_stops_the_agent() {
    let mut rig = guarded("reject_storm", &[("most", "3"), ("window", "10s")], &[]);
    let mut refuse = |span: u64| {
        rig.at = rig.at + Nanos::from_secs(span);
        let (id, verdict) = rig.order(Side::Buy, 1, "100");
        verdict.map(|_| {
            let report = execution(id, ExecType::Rejected, OrdStatus::Rejected, 0, 0, "0");
            raised(&rig.hear(Report::Execution(report)))
        })
    };
    for span in [0, 4, 4, 4] {
        assert_eq!(refuse(span), Ok(vec![]), "the first has left the window");
    }
    let storm = (Rule::RejectStorm, Scope::Agent(AGENT), KillLevel::Block);
    assert_eq!(refuse(0), Ok(vec![storm]));
    assert_eq!(refuse(0), Err(Reason::Kill));
}

#[test]
fn a_request_that_came_twice_is_no_refusal() {
    let mut rig = guarded("reject_storm", &[("most", "3"), ("window", "10s")], &[]);
    for _ in 0..10 {
        let (id, verdict) = rig.order(Side::Buy, 1, "100");
        assert!(verdict.is_ok());
        let mut report = execution(id, ExecType::Rejected, OrdStatus::Rejected, 0, 0, "0");
        report.reason = Some(Reason::BrokerDuplicate);
        assert_eq!(raised(&rig.hear(Report::Execution(report))), vec![]);
    }
}

#[test]
fn several_bad_fills_in_a_row_stop_the_agent() {
    // The middle is 100: ten basis points are 0.10.
    let fills = [
        (&["100.11", "100.11", "100.10", "100.11", "100.11"][..], false),
        (&["100.11", "100.11", "100.11"][..], true),
        (&["99", "98", "97", "96"][..], false),
    ];
    for (prices, stops) in fills {
        let mut rig = guarded("slippage", &[("bps", "10")], &[]);
        let mut all = Vec::new();
        for price in prices {
            let (id, _) = rig.order(Side::Buy, 1, "101");
            let (kind, status) = (ExecType::Trade, OrdStatus::Filled);
            let out = rig.hear(Report::Execution(execution(id, kind, status, 1, 1, price)));
            all.extend(raised(&out));
        }
        let expected = (Rule::Slippage, Scope::Agent(AGENT), KillLevel::Block);
        assert_eq!(all, if stops { vec![expected] } else { vec![] }, "{prices:?}");
    }
}

#[test]
fn a_denial_that_says_enough_and_too_many_of_the_others_stop_the_agent() {
    let denied = (Rule::Denials, Scope::Agent(AGENT), KillLevel::Block);
    let tries = |rig: &mut Rig| {
        let (_, verdict) = rig.order(Side::Buy, 11, "100");
        let mut out = CoreOut::default();
        rig.core.guard(rig.at, &rig.market, &mut out);
        (verdict.err(), raised(&out))
    };
    let limit = [row("max_order_qty", Scope::Global, "10")];
    let mut rig = guarded("denials", &[("stop", "max_order_qty")], &limit);
    assert_eq!(tries(&mut rig), (Some(Reason::MaxOrderQty), vec![denied]));
    assert_eq!(tries(&mut rig), (Some(Reason::Kill), vec![]));
    let mut rig = guarded("denials", &[("stop", ""), ("most", "3"), ("window", "10s")], &limit);
    for _ in 0..3 {
        assert_eq!(tries(&mut rig), (Some(Reason::MaxOrderQty), vec![]));
    }
    assert_eq!(tries(&mut rig), (Some(Reason::MaxOrderQty), vec![denied]));
}

#[test]
fn doubt_that_lasts_blocks_the_account() {
    let mut rig = guarded("in_doubt", &[("after", "60s")], &[]);
    let (_, verdict) = rig.order(Side::Buy, 1, "100");
    verdict.unwrap();
    assert!(raised(&rig.pass(Nanos::from_secs(2))).is_empty());
    assert_eq!(rig.core.oms.in_doubt(), 1);
    let woken = rig.core.guardian.wake_at();
    assert_eq!(woken.since(rig.at), Nanos::from_secs(58), "nobody else would wake it");
    assert!(raised(&rig.pass(Nanos(58_000_000_000 - 1))).is_empty());
    let expected = [(Rule::InDoubt, ACCOUNT, KillLevel::Block)];
    assert_eq!(raised(&rig.pass(Nanos(1))), expected);
}

#[test]
fn a_hold_that_should_have_gone_becomes_a_kill() {
    let mut rig = guarded("heartbeat_lost", &[("after", "5s")], &[]);
    let stalled = |on| Control::Hold { scope: Scope::Agent(AGENT), kind: HoldKind::Stalled, on };
    let say = |rig: &mut Rig, on| {
        let mut out = CoreOut::default();
        rig.core.control(rig.at, &stalled(on), &mut out);
        rig.core.guard(rig.at, &rig.market, &mut out);
        raised(&out)
    };
    assert_eq!(say(&mut rig, true), []);
    assert!(raised(&rig.pass(Nanos::from_secs(4))).is_empty());
    assert_eq!(say(&mut rig, false), [], "it moves again");
    assert!(raised(&rig.pass(Nanos::from_secs(4))).is_empty());
    assert_eq!(say(&mut rig, true), []);
    let expected = [(Rule::HeartbeatLost, Scope::Agent(AGENT), KillLevel::Block)];
    assert_eq!(raised(&rig.pass(Nanos::from_secs(5))), expected);
}

#[test]
fn silence_holds_an_instrument_until_data_comes() {
    let mut rig = guarded("data_stale", &[("after", "5s")], &[]);
    rig.buy_ten();
    let holds = |out: &CoreOut| interventions(out).iter().map(|done| done.act).collect::<Vec<_>>();
    assert_eq!(holds(&rig.pass(Nanos(4_999_999_999))), []);
    assert_eq!(holds(&rig.pass(Nanos(1))), [Act::Hold(true)]);
    assert_eq!(rig.order(Side::Sell, 1, "100").1, Err(Reason::Hold));
    assert_eq!(holds(&rig.second(Some(("99.99", "100.01")))), [Act::Hold(false)]);
    assert!(rig.order(Side::Sell, 1, "100").1.is_ok());
}

/// Found while a person's kill stands as high: it is said and has to be armed with the rest.
#[test]
fn a_finding_under_a_standing_kill_is_not_lost() {
    let mut rig = guarded("drawdown", &[("limit", "10%"), ("warn", "off")], &[]);
    rig.buy_ten();
    for _ in 0..4 {
        rig.second(Some(("109.99", "110.01")));
    }
    for level in [KillLevel::Cancel, KillLevel::Flatten] {
        let mut out = CoreOut::default();
        let order = KillOrder {
            scope: ACCOUNT,
            level,
            reason: "drill".into(),
            episode: 7 + level as u64,
            rule: None,
        };
        rig.core.control(rig.at, &Control::Kill(order), &mut out);
    }
    let stood = rig.core.risk.halts.kill_of(ACCOUNT).unwrap();
    let fall = |rig: &mut Rig| {
        let outs = (0..3).map(|_| rig.second(Some(("98.99", "99.01"))));
        outs.flat_map(|out| interventions(&out)).collect::<Vec<_>>()
    };
    let cool_off = Nanos::from_secs(30);
    let act = Act::Kill { level: KillLevel::Flatten, episode: stood.episode, cool_off };
    assert_eq!(fall(&mut rig), [Intervention { rule: Rule::Drawdown, scope: ACCOUNT, act }]);
    assert_eq!(fall(&mut rig), [], "once");
    let stands = rig.core.risk.halts.kill_of(ACCOUNT).unwrap();
    assert_eq!((stands.level, stands.episode), (stood.level, stood.episode));
    assert_eq!(stands.rule, Some(Rule::Drawdown));
    assert!(stands.since + stands.cool_off >= stood.since + Nanos::from_secs(30));
}

#[test]
fn a_console_that_falls_silent_blocks_and_then_cancels() {
    let mut rig = guarded("dead_man", &[("after", "60s")], &[]);
    let beat = |rig: &mut Rig| {
        rig.core.control(rig.at, &Control::Heartbeat, &mut CoreOut::default());
        raised(&rig.pass(Nanos(0)))
    };
    assert_eq!(beat(&mut rig), []);
    assert!(raised(&rig.pass(Nanos::from_secs(59))).is_empty());
    assert_eq!(beat(&mut rig), []);
    let level = |out: &CoreOut| raised(out).first().map(|(.., level)| *level);
    assert_eq!(level(&rig.pass(Nanos::from_secs(59))), None);
    assert_eq!(level(&rig.pass(Nanos::from_secs(1))), Some(KillLevel::Block));
    assert_eq!(level(&rig.pass(Nanos::from_secs(59))), None);
    assert_eq!(level(&rig.pass(Nanos::from_secs(1))), Some(KillLevel::Cancel));
    // Whoever arms is there: from then on silence counts again, and harder.
    rig.at = rig.at + Nanos::from_secs(100);
    let kill = rig.core.risk.halts.kill_of(Scope::Global).unwrap();
    let arm = KillOrder {
        scope: Scope::Global,
        level: KillLevel::Normal,
        reason: "seen".into(),
        episode: kill.episode,
        rule: kill.rule,
    };
    rig.core.control(rig.at, &Control::Arm(arm), &mut CoreOut::default());
    assert_eq!(level(&rig.pass(Nanos::from_secs(59))), None);
    assert_eq!(rig.core.risk.halts.kill_of(Scope::Global), None);
    assert_eq!(level(&rig.pass(Nanos::from_secs(1))), Some(KillLevel::Cancel));
}

#[test]
fn a_trigger_of_the_driver_that_comes_back_is_raised_harder_and_a_persons_never() {
    let mut rig = guarded("dead_man", &[], &[]);
    for (rule, again) in [(Some(Rule::RestartBudget), Some(KillLevel::Cancel)), (None, None)] {
        let scope = Scope::Broker(BrokerId(0));
        let order = |level, episode| KillOrder { scope, level, reason: "r".into(), episode, rule };
        let mut say = |control| {
            let mut out = CoreOut::default();
            rig.core.control(rig.at, &control, &mut out);
            raised(&out).first().map(|(.., level)| *level)
        };
        assert_eq!(say(Control::Kill(order(KillLevel::Block, 1))), None);
        assert_eq!(say(Control::Arm(order(KillLevel::Normal, 1))), None);
        assert_eq!(say(Control::Kill(order(KillLevel::Block, 2))), again);
        let stands = again.unwrap_or(KillLevel::Block);
        assert_eq!(say(Control::Kill(order(stands, 3))), None, "a boot tells of it again");
        let standing = rig.core.risk.halts.kills().next().unwrap().1.episode;
        let mut out = CoreOut::default();
        rig.core.control(rig.at, &Control::Arm(order(KillLevel::Normal, standing)), &mut out);
    }
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let wrong = |rule: &str, key: &str, value: &str| {
        let values = [(key.to_owned(), value.to_owned())].into();
        let rules = vec![RuleSettings { rule: rule.to_owned(), values, line: 7 }];
        let settings = Settings { rules, ..Settings::default() };
        Guardian::new(&settings, &[], 2).unwrap_err()
    };
    for (rule, key, value, says) in [
        ("nonsense", "a", "1", "daily_loss"),
        ("daily_loss", "wram_at", "80%", "wram_at"),
        ("daily_loss", "warn_at", "80", "warn_at"),
        ("daily_loss", "action", "normal", "reduce_only"),
        ("daily_loss", "confirm", "0", "confirm"),
        ("drawdown", "limit", "-5", "limit"),
        ("reject_storm", "action", "hold", "hold"),
        ("denials", "stop", "made_up", "made_up"),
        ("in_doubt", "after", "0s", "after"),
    ] {
        let error = wrong(rule, key, value);
        assert_eq!(error.line, 7);
        assert!(error.message.contains(says), "{}", error.message);
    }
}

/// What `check --controls` shows of a rule: every value that holds, and how near each scope is.
#[test]
fn a_rule_says_its_values_and_how_much_of_them_is_used() {
    let mut rig = guarded("drawdown", &[("limit", "10%"), ("action", "block")], &[]);
    let shown = |rig: &Rig, rule: Rule| {
        let view =
            View { at: rig.at, oms: &rig.core.oms, risk: &rig.core.risk, market: &rig.market };
        let rows = rig.core.guardian.rules().map(|(row, values)| (row.rule, values.to_owned()));
        let values = rows.into_iter().find(|(known, _)| *known == rule).unwrap().1;
        (values, rig.core.guardian.used(rule, &view))
    };
    assert_eq!(shown(&rig, Rule::Slippage), ("off".to_owned(), Vec::new()));
    let values = "warn reduce_only, action block, confirm 3, warn_at 80%, limit 10%";
    assert_eq!(shown(&rig, Rule::Drawdown), (values.to_owned(), Vec::new()));
    rig.buy_ten();
    // Ten at 100 of 1,000: at 95 fifty of a hundred are gone, at 90 all of them.
    rig.second(Some(("94.99", "95.01")));
    let used = vec![(ACCOUNT, "50 of 100".to_owned())];
    assert_eq!(shown(&rig, Rule::Drawdown).1, used);
    for _ in 0..4 {
        rig.second(Some(("89.99", "90.01")));
    }
    let used = vec![(ACCOUNT, "100 of 100, tripped".to_owned())];
    assert_eq!(shown(&rig, Rule::Drawdown).1, used);
}
