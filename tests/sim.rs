//! The simulator over seeds and scenarios. Long campaigns are a command: see docs/faults.md.

use qtos_gateway::sim::{Fault, Plan, campaign, run, scenario};

/// No invariant breaks, and the sessions are such that it could.
#[test]
fn sessions_of_many_seeds_hold() {
    let mut sums = campaign::Sums::default();
    for seed in 1..=60 {
        let plan = Plan::swarm(seed);
        let outcome = run(plan.clone()).unwrap();
        sums.add(&plan, outcome);
    }
    assert!(sums.failing.is_empty(), "{:#?}", sums.failing);
    assert_eq!(sums.after_kill, 0);
    let median = sums.medians();
    assert!(median.inputs >= 2_000 && median.orders >= 100, "{median:?}");
    assert!(median.brokers >= 2 && median.agents >= 3 && median.faults >= 3, "{median:?}");
    assert!(sums.trips > 100 && sums.boots > 60);
}

/// The same at an Alpaca account, byte by byte. Its seeds repeat as well.
#[test]
fn sessions_at_an_alpaca_account_hold() {
    let mut sums = campaign::Sums::default();
    for seed in 1..=12 {
        let plan = Plan::alpaca(seed);
        sums.add(&plan, run(plan.clone()).unwrap());
    }
    assert!(sums.failing.is_empty(), "{:#?}", sums.failing);
    assert_eq!(sums.after_kill, 0);
    let median = sums.medians();
    assert!(median.orders >= 20 && median.fills >= 10 && median.faults >= 3, "{median:?}");
    assert_eq!(run(Plan::alpaca(3)).unwrap(), run(Plan::alpaca(3)).unwrap());
}

/// INV-7: a seed is a session, to the last bit of its state.
#[test]
fn a_seed_repeats() {
    for seed in [3, 17, 40] {
        let first = run(Plan::swarm(seed)).unwrap();
        assert_eq!(first, run(Plan::swarm(seed)).unwrap());
        assert_ne!(first.digest, run(Plan::swarm(seed + 1)).unwrap().digest);
    }
}

#[test]
fn every_incident_and_every_kind_of_fault_is_lived_through() {
    let seeds = if cfg!(debug_assertions) { 1 } else { scenario::SEEDS };
    for id in scenario::ids() {
        let verdict = scenario::play(&id, seeds).unwrap().unwrap();
        assert!(verdict.violations.is_empty(), "{id}: {:#?}", verdict.violations);
    }
}

/// The table of homes names what the program plays.
#[test]
fn the_table_of_homes_is_true() {
    let table = include_str!("../docs/faults.md");
    for incident in scenario::incidents() {
        let row = table.lines().find(|line| line.starts_with(&format!("| {} |", incident.id)));
        let row = row.unwrap_or_else(|| panic!("{} is not in docs/faults.md", incident.id));
        assert!(row.contains("| sim |") && row.contains(incident.source), "{row}");
    }
    for fault in Fault::ALL {
        assert!(table.contains(&format!("`{fault}`")), "{fault} is not in docs/faults.md");
    }
}

/// Shrinking a session that does not fail says so, and changes nothing.
#[test]
fn what_does_not_fail_is_not_made_small() {
    let plan = Plan::swarm(5);
    let (smaller, failure) = campaign::shrink(plan, "I12").unwrap();
    assert_eq!(failure.what, "did not come again");
    assert_eq!(smaller.seed, 5);
}
