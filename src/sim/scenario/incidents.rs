//! Public incidents of other systems that need no wire of a real broker. The threads are named as
//! project and number.

use super::Incident;
use crate::sim::fault::Fault;
use crate::types::{AgentId, KillLevel, OrdStatus, Reason, Side};

/// Those of orders, answers and kills.
pub const INCIDENTS: &[Incident] = &[
    Incident {
        id: "G01",
        source: "NautilusTrader #4958, #4152",
        title: "the acknowledgement is lost and the query fails: called rejected",
        tell: |s| {
            s.fault(Fault::LostReport);
            s.fault(Fault::PartialSnapshot);
            let id = s.limit(Side::Buy, 5, -3);
            s.run(4_000);
            s.must(s.status(id) == Some(OrdStatus::InDoubt), "in doubt, not rejected");
            s.must(s.open() == 5, "its exposure stays");
            s.run(40_000);
            s.must(s.status(id) == Some(OrdStatus::New), "found by a snapshot");
        },
    },
    Incident {
        id: "G02",
        source: "NautilusTrader #3879",
        title: "an order in flight too long is called cancelled, and orders pile up",
        tell: |s| {
            s.fault(Fault::Silent);
            let first = s.intend(77, Side::Buy, 5, -3);
            s.run(3_500);
            let again = s.intend(77, Side::Buy, 5, -3);
            s.must(s.status(first) == Some(OrdStatus::InDoubt), "still counted");
            s.must(s.order(again).is_none(), "the same wish is refused");
            s.run(30_000);
            s.must(s.at_broker() == 1, "one order at the broker");
        },
    },
    Incident {
        id: "G05",
        source: "NautilusTrader #3493",
        title: "a fill inferred from a snapshot races the real one",
        tell: |s| {
            let id = s.limit(Side::Buy, 6, 0);
            s.run(500);
            s.fault(Fault::ReorderedReports);
            s.fill(id, 3);
            s.run(30_000);
            s.fill(id, 3);
            s.run(2_000);
            s.must(s.position() == 6, "each fill once");
        },
    },
    Incident {
        id: "G06",
        source: "NautilusTrader #4228, #4230",
        title: "a failed query of positions is read as an empty list",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, 0);
            s.run(300);
            s.fill(id, 5);
            let open = s.limit(Side::Buy, 2, -5);
            s.run(300);
            s.fault(Fault::PartialSnapshot);
            s.fault(Fault::EmptySnapshot);
            s.run(30_000);
            s.must(s.position() == 5, "the position stays");
            s.must(s.open() == 2, "what is open stays counted");
            s.run(20_000);
            s.must(s.status(open) == Some(OrdStatus::New), "and is known to be open");
        },
    },
    Incident {
        id: "G07",
        source: "NautilusTrader #3655",
        title: "a position closed by hand is not seen",
        tell: |s| {
            s.fault(Fault::ManualOrder);
            s.run(35_000);
            let adopted = s.core().is_some_and(|core| {
                core.oms.orders().iter().any(|order| order.route.agent == AgentId::EXTERNAL)
            });
            s.must(adopted, "found within half a minute");
        },
    },
    Incident {
        id: "G08",
        source: "NautilusTrader #4288",
        title: "a replace shows up as a cancel",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, -3);
            s.run(500);
            let new = s.resize(id, 8);
            s.run(2_000);
            s.must(s.status(new) == Some(OrdStatus::New), "open under its new name");
            s.must(s.open() == 8, "with its new size");
            s.must(s.open_at_broker() == 1, "and one order at the broker");
        },
    },
    Incident {
        id: "G09",
        source: "NautilusTrader #3986, #4154",
        title: "a replace races a fill and the order overfills",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, 0);
            s.run(500);
            s.fill(id, 2);
            s.run(500);
            s.fault(Fault::ReplaceAfterFill);
            s.resize(id, 6);
            s.must(s.open() <= 4, "old and new are reserved, not their sum");
            s.run(3_000);
            s.must(s.position() == 5, "what filled, filled");
            s.must(s.open() == 0, "nothing is left open");
        },
    },
    Incident {
        id: "G10",
        source: "NautilusTrader #3622",
        title: "reconciliation runs in a loop for ever",
        tell: |s| {
            for _ in 0..6 {
                s.fault(Fault::PartialSnapshot);
            }
            let before = s.world.brokers.first().map_or(0, |broker| broker.asked);
            s.run(60_000);
            let asked = s.world.brokers.first().map_or(0, |broker| broker.asked) - before;
            s.must(asked <= 20, "a query every few seconds at most");
        },
    },
    Incident {
        id: "G12",
        source: "NautilusTrader #3869",
        title: "a fill is never delivered",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, 0);
            s.run(500);
            s.fault(Fault::LostReport);
            s.fill(id, 5);
            s.run(30_000);
            s.must(s.position() == 5, "found within 30 s");
        },
    },
    Incident {
        id: "G14",
        source: "Hummingbot #8457",
        title: "an outage of name resolution drops orders that were accepted",
        tell: |s| {
            s.fault(Fault::LostAnswer);
            let id = s.limit(Side::Sell, 5, 3);
            s.run(50);
            s.fault(Fault::DialFails);
            s.run(2_000);
            s.must(s.status(id) == Some(OrdStatus::InDoubt), "in doubt while nobody answers");
            s.must(s.open() == 5, "and counted");
            s.run(40_000);
            s.must(s.status(id) == Some(OrdStatus::New), "tracked to the end");
        },
    },
    Incident {
        id: "G15",
        source: "Hummingbot #3374, #3915",
        title: "a cancel is lost in the network; the order fills hours later",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, -3);
            s.run(500);
            s.fault(Fault::IgnoredCancel);
            s.cancel(id);
            s.run(40_000);
            s.must(s.open() == 5, "not confirmed is not cancelled");
            s.fill(id, 5);
            s.run(2_000);
            s.must(s.position() == 5, "the fill is booked");
        },
    },
    Incident {
        id: "G16",
        source: "Hummingbot #493",
        title: "a timeout of a new order leads to a second one",
        tell: |s| {
            s.fault(Fault::LateAnswer);
            s.intend(5, Side::Buy, 5, -3);
            s.run(2_500);
            s.intend(5, Side::Buy, 5, -3);
            s.run(10_000);
            s.must(s.at_broker() == 1, "one order");
            s.must(s.denied(Reason::DuplicateIntent) == 1, "the second was refused");
        },
    },
    Incident {
        id: "G18",
        source: "freqtrade #4403",
        title: "an order is not found just after it was made",
        tell: |s| {
            s.fault(Fault::NotFound);
            s.fault(Fault::LostReport);
            let id = s.limit(Side::Buy, 5, -3);
            s.run(4_000);
            s.must(s.open() == 5, "not found once is not absent");
            s.run(40_000);
            s.must(s.status(id) == Some(OrdStatus::New), "it was there all the time");
            s.must(s.at_broker() == 1, "and was not sent again");
        },
    },
    Incident {
        id: "G19",
        source: "LEAN Interactive Brokers #249",
        title: "fills during a loss of connectivity are dropped",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, 0);
            s.run(500);
            s.fault(Fault::HeartbeatsOnly);
            s.run(100);
            s.fill(id, 5);
            s.run(40_000);
            s.must(s.position() == 5, "recovered");
        },
    },
    Incident {
        id: "G20",
        source: "LEAN Interactive Brokers #227",
        title: "a nightly reset ends the program",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, -3);
            s.run(500);
            s.fault(Fault::Maintenance);
            s.run(3_000);
            let refused = s.limit(Side::Buy, 1, -3);
            s.must(s.order(refused).is_none(), "nothing opens while it is away");
            s.run(60_000);
            s.must(s.status(id) == Some(OrdStatus::New), "rode through");
        },
    },
    Incident {
        id: "G21",
        source: "LEAN Interactive Brokers #136",
        title: "the broker refuses an order and holds a position of it",
        tell: |s| {
            s.fault(Fault::FalseReject);
            let id = s.limit(Side::Buy, 5, 0);
            s.run(1_000);
            s.fill(id, 5);
            s.run(40_000);
            s.must(s.position() == 5, "the broker is right");
        },
    },
    Incident {
        id: "G22",
        source: "LEAN TradeStation #95, #101",
        title: "a fill is lost under sound heartbeats; liquidation runs in a loop",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, 0);
            s.run(500);
            s.fault(Fault::LostReport);
            s.fill(id, 5);
            s.run(1_000);
            for _ in 0..5 {
                // It believes itself flat, so nothing of it passes as an exit of what is not there.
                s.intend(900, Side::Sell, 5, 0);
            }
            s.must(s.denied(Reason::DuplicateIntent) == 4, "one exit, not five");
            s.run(30_000);
            s.must(s.position() == 5, "found by the poll");
        },
    },
    Incident {
        id: "G23",
        source: "LEAN TradeStation #84",
        title: "a fill that comes with an update of the order is dropped",
        tell: |s| {
            let id = s.limit(Side::Buy, 6, 0);
            s.run(500);
            s.fill(id, 2);
            s.resize(id, 8);
            s.run(1_000);
            s.must(s.position() == 2, "counted while the replace is under way");
        },
    },
    Incident {
        id: "G24",
        source: "LEAN Alpaca #28, #60, #41",
        title: "a missing fill, a send while the stream is down, answers twice",
        tell: |s| {
            s.fault(Fault::DuplicateReport);
            s.fault(Fault::DuplicateReport);
            let id = s.limit(Side::Buy, 5, 0);
            s.run(500);
            s.fill(id, 5);
            s.run(5_000);
            s.must(s.position() == 5, "once");
            s.fault(Fault::Reset);
            s.run(20);
            let early = s.limit(Side::Buy, 1, 0);
            s.must(s.order(early).is_none(), "nothing is sent before the stream is back");
            s.run(10_000);
        },
    },
    Incident {
        id: "G27",
        source: "Qubx #434",
        title: "14,000 cancels of an order that is gone",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, 0);
            s.run(500);
            s.fill(id, 5);
            s.run(500);
            let before = s.world.requests();
            for _ in 0..50 {
                s.cancel(id);
                s.run(20);
            }
            s.must(s.world.requests() - before <= 3, "they do not reach the broker");
        },
    },
    Incident {
        id: "G29",
        source: "go-trader #1462",
        title: "a kill leaves resting orders alive",
        tell: |s| {
            for ticks in [-3, -4, -5] {
                s.limit(Side::Buy, 2, ticks);
            }
            s.run(500);
            s.fault(Fault::IgnoredCancel);
            s.kill(KillLevel::Cancel);
            s.run(60_000);
            s.must(s.open_at_broker() == 0, "none is left");
            s.must(s.open() == 0, "and none is thought to be");
        },
    },
    Incident {
        id: "G31",
        source: "project-x-py #100",
        title: "filled entries are reported as timed out",
        tell: |s| {
            for _ in 0..5 {
                s.fault(Fault::LateAnswer);
                let id = s.limit(Side::Buy, 1, 0);
                s.run(10);
                s.fill(id, 1);
                s.run(12_000);
                s.must(s.status(id) == Some(OrdStatus::Filled), "filled is filled");
            }
            s.must(s.position() == 5, "all of them");
        },
    },
    Incident {
        id: "G32",
        source: "kuest #1448, Polymarket real-time-data-client #26",
        title: "heartbeats keep a dead stream fresh",
        tell: |s| {
            let id = s.limit(Side::Buy, 3, 0);
            s.run(500);
            for _ in 0..3 {
                s.fault(Fault::HeartbeatsOnly);
                s.run(200);
            }
            s.fill(id, 3);
            s.run(45_000);
            s.must(s.position() == 3, "a poll finds what the stream does not tell");
        },
    },
];
