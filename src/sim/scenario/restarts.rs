//! Public incidents of restarts: what a new process knows of what the old one did.

use super::{Incident, Script};
use crate::sim::fault::Fault;
use crate::types::{AgentId, KillLevel, OrdStatus, Side};

/// All of them.
pub const RESTARTS: &[Incident] = &[
    Incident {
        id: "G03",
        source: "NautilusTrader #3046",
        title: "a restart replays fills under the same execution ids",
        tell: |s| {
            let id = s.limit(Side::Buy, 4, 0);
            s.run(500);
            s.fill(id, 4);
            s.run(500);
            s.crash();
            s.fault(Fault::OldReports);
            s.run(2_000);
            s.must(s.position() == 4, "booked once");
        },
    },
    Incident {
        id: "G04",
        source: "NautilusTrader #3878",
        title: "reconciliation makes other ids at every restart",
        tell: |s| {
            s.fault(Fault::ManualOrder);
            s.run(40_000);
            let strangers = |s: &Script| {
                s.core().map_or(0, |core| {
                    let all = core.oms.orders().iter();
                    all.filter(|order| order.route.agent == AgentId::EXTERNAL).count()
                })
            };
            let before = strangers(s);
            s.must(before == 1, "the order by hand is adopted");
            for _ in 0..3 {
                s.crash();
            }
            s.must(strangers(s) == before, "and adopted once over three boots");
        },
    },
    Incident {
        id: "G13",
        source: "NautilusTrader #3104",
        title: "a position older than the broker's history",
        tell: |s| {
            s.world.endow(s.lots(9));
            s.run(60_000);
            let fills = s.core().map_or(1, |core| core.oms.fills().len());
            s.must(fills == 0, "no fill is invented");
            s.world.endow(-s.lots(9));
            s.run(60_000);
        },
    },
    Incident {
        id: "G17",
        source: "freqtrade #10436",
        title: "an open entry becomes a position at a restart",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, -3);
            s.run(500);
            s.crash();
            s.must(s.position() == 0, "no position without a fill");
            s.must(s.status(id) == Some(OrdStatus::New), "the order is open");
        },
    },
    Incident {
        id: "G25",
        source: "Lumibot #395, #394",
        title: "after a restart the list of orders is empty",
        tell: |s| {
            let open = s.limit(Side::Buy, 5, -3);
            let part = s.limit(Side::Buy, 4, 0);
            s.run(500);
            s.fill(part, 1);
            s.run(500);
            s.crash();
            s.must(s.status(open) == Some(OrdStatus::New), "rebuilt");
            s.must(s.status(part) == Some(OrdStatus::PartiallyFilled), "with its fills");
            s.must(s.position() == 1, "and the position");
        },
    },
    Incident {
        id: "G26",
        source: "hftbacktest #87",
        title: "random client order ids collide",
        tell: |s| {
            let first = s.limit(Side::Buy, 1, -3);
            s.run(300);
            s.world.crash_losing_power();
            s.run(6_000);
            let second = s.limit(Side::Buy, 1, -3);
            s.run(300);
            s.must(first != second && second.epoch > first.epoch, "a boot has its own names");
        },
    },
    Incident {
        id: "G28",
        source: "QuantDinger #232",
        title: "a restart books a fill twice",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, 0);
            s.run(500);
            s.fill(id, 2);
            s.world.crash();
            s.run(6_000);
            s.fill(id, 3);
            s.run(1_000);
            s.must(s.position() == 5, "each once");
        },
    },
    Incident {
        id: "G30",
        source: "Vibe-Trading #1233, Auramaur #408",
        title: "a flatten runs twice after a restart; the kill shows another book",
        tell: |s| {
            let id = s.limit(Side::Buy, 5, 0);
            s.run(500);
            s.fill(id, 5);
            s.run(500);
            s.kill(KillLevel::Flatten);
            s.run(6_000);
            let exits = s.exits();
            s.must(exits == 1, "one exit for the one position");
            for _ in 0..2 {
                s.crash();
                s.run(20_000);
            }
            s.must(s.exits() == exits, "and none more after a restart");
            let levels = s.levels();
            s.must(levels == [KillLevel::Flatten; 3], "board, core and latch file say the same");
        },
    },
];
