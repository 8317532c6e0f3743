//! Names and shapes that scripts rely on.

use super::*;
use crate::types::{KillLevel, Notional, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;

fn summary() -> Summary {
    let trend = AgentSummary { orders: 2, fills: 3, pnl: "-1.5".parse().unwrap() };
    Summary {
        events: 10,
        seconds: 0.5,
        events_per_second: 20.0,
        orders: 2,
        fills: 3,
        denied: 1,
        pnl: Notional::whole(-2),
        digest: "ab".repeat(32),
        agents: BTreeMap::from([("trend".to_owned(), trend)]),
    }
}

#[test]
fn the_summary_has_the_fixed_names() {
    let value = serde_json::to_value(summary()).unwrap();
    let expected = json!({
        "events": 10, "seconds": 0.5, "events_per_second": 20.0, "orders": 2, "fills": 3,
        "denied": 1, "pnl": "-2", "digest": "ab".repeat(32),
        "agents": {"trend": {"orders": 2, "fills": 3, "pnl": "-1.5"}}
    });
    assert_eq!(value, expected);
    assert_eq!(serde_json::from_value::<Summary>(value).unwrap(), summary());
    assert!(
        summary().render().contains("agent  orders  fills   pnl\ntrend       2      3  -1.5\n")
    );
}

#[test]
fn status_and_kill_have_the_fixed_names() {
    let trip = TripView {
        scope: "global".to_owned(),
        level: KillLevel::Cancel,
        reason: "drill".to_owned(),
        episode: 3,
        since: Timestamp::from_nanos(1),
        progress: "requested".to_owned(),
    };
    let kill = KillView { level: KillLevel::Cancel, scopes: vec![trip] };
    assert_eq!(
        serde_json::to_value(&kill).unwrap(),
        json!({"level": "cancel", "scopes": [{"scope": "global", "level": "cancel", "reason": "drill",
               "episode": 3, "since": "1970-01-01T00:00:00.000000001Z", "progress": "requested"}]})
    );
    let status = Status {
        mode: "sandbox".to_owned(),
        ready: false,
        kill,
        holds: Vec::new(),
        orders_open: 1,
        orders_in_doubt: 0,
        positions: Vec::new(),
        actors: vec![ActorView { name: "core".into(), state: "running".into(), restarts: 0 }],
    };
    let text = status.render();
    assert!(
        text.starts_with(
            "mode sandbox, not ready, kill cancel\n  kill global cancel (requested) since"
        ),
        "{text}"
    );
    assert!(text.ends_with("actor  state    restarts\ncore   running         0\n"), "{text}");
}

#[test]
fn bench_rows_are_rates_or_latencies() {
    let bench: Bench = serde_json::from_value(json!({
        "replay_rate": {"unit": "ticks/s", "rate": 8e6},
        "edge_hop": {"unit": "ns", "p50": 1.0, "p99": 2.0, "p999": 3.0, "p9999": 3.5, "max": 4.0}
    }))
    .unwrap();
    assert!(matches!(bench.0["replay_rate"], BenchRow::Rate { .. }));
    assert!(matches!(bench.0["edge_hop"], BenchRow::Latency { .. }));
    assert!(bench.render().contains("8000000"));
}

#[test]
fn a_new_order_refuses_unknown_keys_and_bad_numbers() {
    let order = |json| serde_json::from_value::<NewOrderRequest>(json);
    let good = json!({"symbol": "IBM", "side": "buy", "type": "market", "qty": "1.5"});
    assert_eq!(order(good).unwrap().qty.unwrap().to_string(), "1.5");
    assert!(
        order(json!({"symbol": "IBM", "side": "buy", "type": "market", "quantity": 1})).is_err()
    );
    assert!(order(json!({"symbol": "IBM", "side": "hold", "type": "market", "qty": 1})).is_err());
    assert!(
        order(json!({"symbol": "IBM", "side": "buy", "type": "market", "qty": "1e2"})).is_err()
    );
}
