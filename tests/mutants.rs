//! Planted bugs are noticed. All of them are a command, `qtos sim --mutants`; here are a few that show
//! soon, each by another check. One test: there is one switch in the process.
#![cfg(feature = "mutants")]

use qtos_gateway::planted::{BUGS, Bug, switch};
use qtos_gateway::sim::mutants;
use std::collections::BTreeSet;

/// Where the seeds begin, and how many each of these bugs may take.
const FIRST: u64 = 900_004;
const SESSIONS: u64 = 4;

#[test]
fn planted_bugs_are_many_and_are_noticed() {
    assert!(BUGS.len() >= 50);
    let names: BTreeSet<&str> = BUGS.iter().map(|planted| planted.name).collect();
    assert_eq!(names.len(), BUGS.len(), "each has a name of its own");
    for planted in BUGS {
        let place = format!("{}/src/{}", env!("CARGO_MANIFEST_DIR"), planted.place);
        assert!(std::path::Path::new(&place).exists(), "{}: no {place}", planted.name);
    }
    let book = include_str!("../docs/mutants.md");
    for (bug, _) in mutants::BEYOND {
        let name = BUGS.iter().find(|planted| planted.bug == *bug).map(|planted| planted.name);
        let name = name.unwrap();
        assert!(book.contains(&format!("`{name}`")), "{name} is not explained in docs/mutants.md");
    }
    switch(None);
    assert_eq!(mutants::session(FIRST).unwrap(), None, "without a bug nothing breaks");
    for (bug, invariant) in [
        (Bug::LegTakesName, "I05"),
        (Bug::FeeForgotten, "I08"),
        (Bug::CancelKillSpares, "I14"),
        (Bug::PairCountedTwice, "I04"),
        (Bug::ReportUnjournaled, "I17"),
    ] {
        switch(Some(bug));
        let mut seeds = FIRST..FIRST + SESSIONS;
        let shown = seeds.find_map(|seed| mutants::session(seed).unwrap());
        let shown = shown.unwrap_or_else(|| panic!("{bug:?} is not noticed"));
        assert_eq!(shown.invariant, invariant, "{bug:?}: {}", shown.what);
    }
    switch(None);
}
