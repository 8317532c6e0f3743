//! Metrics in Prometheus' text form, taken from the core when they are asked for: a scrape costs the
//! lane one turn, an order nothing.

use super::dropin::Figures;
use crate::broker::Counted;
use crate::live::Handle;
use crate::types::{AccountId, BrokerId, InstrumentId, Scope};
use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};
use std::collections::BTreeMap;

/// Every metric: name, help, label.
const METRICS: &[(&str, &str, &[&str])] = &[
    ("qtos_events_total", "Market records consumed", &[]),
    ("qtos_feed_position", "Records consumed of the reference feed", &[]),
    ("qtos_orders_total", "New orders approved and handed to a broker", &[]),
    ("qtos_fills_total", "Executions booked", &[]),
    ("qtos_denied_total", "Requests refused before they could leave", &["reason"]),
    (
        "qtos_kill_level",
        "Highest kill level by kind of scope, 0 normal to 5 isolate",
        &["scope_kind"],
    ),
    ("qtos_holds", "Holds in force", &[]),
    ("qtos_kills_unconfirmed", "Kills whose cancels or exits no broker confirmed in time", &[]),
    ("qtos_orders_open", "Orders that may still fill", &[]),
    ("qtos_orders_in_doubt", "Open orders whose fate is unknown", &[]),
    (
        "qtos_order_oddities_total",
        "What brokers said that should not happen: late fills, corrections, contradictions",
        &["kind"],
    ),
    ("qtos_pnl", "Profit since the books were opened, account currency", &[]),
    ("qtos_broker_up", "Broker session logged in", &["broker"]),
    ("qtos_broker_reconciled", "Orders and positions agree with the broker", &["broker"]),
    ("qtos_lane_heartbeat_age_seconds", "Time since an actor last moved", &["lane"]),
    ("qtos_watchdog_age_seconds", "Time since a watchdog last looked; absent without one", &[]),
    ("qtos_actor_restarts_total", "Restarts since boot", &["actor"]),
    ("qtos_conflated_total", "Market records merged on the way to a lane", &["feed"]),
    ("qtos_feed_up", "The venue confirmed the subscription of a data stream", &["feed"]),
    ("qtos_feed_verified", "Data came over the connection of a data stream", &["feed"]),
    ("qtos_feed_frames_total", "Frames of a data stream", &["feed"]),
    ("qtos_feed_records_total", "Market records of all data streams", &["kind"]),
    ("qtos_feed_skipped_total", "Messages of all data streams that became no record", &["kind"]),
    ("qtos_feed_lost_total", "Connections of a data stream lost, or tried in vain", &["feed"]),
    ("qtos_feed_errors_total", "Errors that data streams were told, by code", &["code"]),
    ("qtos_feed_data_age_seconds", "Time since a data stream last brought data", &["feed"]),
    ("qtos_feed_unverified", "Symbols without data since the last connection", &["feed"]),
    ("qtos_broker_requests_total", "Requests written to a broker", &["broker"]),
    ("qtos_broker_refused_total", "Requests that a broker refused", &["broker"]),
    ("qtos_broker_unknown_total", "Requests whose outcome had to be looked up", &["broker"]),
    ("qtos_broker_throttled_total", "Requests refused for being too many", &["broker"]),
    ("qtos_broker_snapshots_total", "Complete snapshots of a broker", &["broker"]),
    ("qtos_broker_snapshots_failed_total", "Snapshots that did not come together", &["broker"]),
    ("qtos_broker_lost_total", "Sessions with a broker that were lost", &["broker"]),
    ("qtos_market_gaps_total", "Gaps in market data", &[]),
    (
        "qtos_tick_to_order_seconds",
        "From the turn that read the tick to the order's hand-over",
        &["quantile"],
    ),
    (
        "qtos_entry_requests_total",
        "Requests of programs: order_write, order_read, account or data; ok, refused, unauthorized, limited or failed",
        &["kind"],
    ),
    ("qtos_entry_sockets", "Trade update streams that are open", &[]),
    ("qtos_entry_updates_total", "Trade updates made for programs", &[]),
    (
        "qtos_entry_streams_lost_total",
        "How often all streams were ended, as the core was faster",
        &[],
    ),
    ("qtos_journal_bytes_total", "Bytes written to the journal in this boot", &[]),
    ("qtos_journal_file", "Number of the journal file that is written", &[]),
    ("qtos_journal_file_bytes", "Length of the journal file that is written", &[]),
    ("qtos_build_info", "Version of the program", &["version"]),
];

type Sample = (&'static str, String, f64);

/// Collects and renders; an answer that does not come leaves its metrics out.
pub fn render(handle: &Handle, entry: &Figures) -> String {
    let registry = Registry::new();
    let mut gauges: BTreeMap<&str, GaugeVec> = BTreeMap::new();
    for (name, help, labels) in METRICS {
        if let Ok(gauge) = GaugeVec::new(Opts::new(*name, *help), labels)
            && registry.register(Box::new(gauge.clone())).is_ok()
        {
            gauges.insert(name, gauge);
        }
    }
    for (name, label, value) in samples(handle).into_iter().chain(entry_samples(handle, entry)) {
        let Some(gauge) = gauges.get(name) else { continue };
        let labelled =
            METRICS.iter().any(|(known, _, labels)| *known == name && !labels.is_empty());
        let labels: &[&str] = if labelled { &[label.as_str()] } else { &[] };
        if let Ok(gauge) = gauge.get_metric_with_label_values(labels) {
            gauge.set(value);
        }
    }
    let mut text = Vec::new();
    match TextEncoder::new().encode(&registry.gather(), &mut text) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(error) => format!("# {error}\n"),
    }
}

/// Of the data streams; those with labels other than the stream's name are summed up.
fn feeds(handle: &Handle) -> Vec<Sample> {
    let mut all: Vec<Sample> = Vec::new();
    let mut sums: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
    for (name, figures) in handle.feeds() {
        let mut say = |metric, value| all.push((metric, name.clone(), value));
        say("qtos_feed_up", f64::from(u8::from(figures.is_up())));
        say("qtos_feed_verified", f64::from(u8::from(figures.is_verified())));
        say("qtos_feed_frames_total", figures.frames() as f64);
        say("qtos_feed_lost_total", figures.lost() as f64);
        say("qtos_feed_unverified", figures.unverified() as f64);
        if let Some(at) = figures.last_data() {
            say("qtos_feed_data_age_seconds", handle.now().since(at).as_secs_f64());
        }
        let kinds = figures
            .records()
            .map(|(kind, count)| ("qtos_feed_records_total", kind.to_owned(), count));
        let skipped = figures
            .skipped()
            .map(|(kind, count)| ("qtos_feed_skipped_total", kind.to_owned(), count));
        let errors = figures
            .errors()
            .map(|(code, count)| ("qtos_feed_errors_total", code.to_string(), count));
        for (metric, label, count) in kinds.chain(skipped).chain(errors) {
            *sums.entry((metric, label)).or_default() += count;
        }
    }
    all.extend(sums.into_iter().map(|((metric, label), count)| (metric, label, count as f64)));
    all
}

/// Of the order entry, where there is one.
fn entry_samples(handle: &Handle, entry: &Figures) -> Vec<Sample> {
    if handle.remote().is_none() {
        return Vec::new();
    }
    let requests = entry.requests().map(|(kind, count)| ("qtos_entry_requests_total", kind, count));
    let (sockets, updates, lost) = entry.streams();
    let streams = [
        ("qtos_entry_sockets", sockets),
        ("qtos_entry_updates_total", updates),
        ("qtos_entry_streams_lost_total", lost),
    ];
    let streams = streams.into_iter().map(|(name, count)| (name, String::new(), count));
    requests.chain(streams).map(|(name, label, count)| (name, label, count as f64)).collect()
}

fn samples(handle: &Handle) -> Vec<Sample> {
    let now = handle.now();
    let mut all: Vec<Sample> = vec![("qtos_build_info", env!("CARGO_PKG_VERSION").to_owned(), 1.0)];
    for status in handle.statuses() {
        all.push(("qtos_actor_restarts_total", status.name.clone(), f64::from(status.restarts())));
        if status.last_beat().nanos() > 0 {
            let age = now.since(status.last_beat()).as_secs_f64();
            all.push(("qtos_lane_heartbeat_age_seconds", status.name.clone(), age));
        }
    }
    if let Some(seen) = handle.last_watched() {
        all.push(("qtos_watchdog_age_seconds", String::new(), now.since(seen).as_secs_f64()));
    }
    all.push(("qtos_journal_bytes_total", String::new(), handle.journal_bytes() as f64));
    let (file, length) = handle.journal_file();
    all.push(("qtos_journal_file", String::new(), f64::from(file)));
    all.push(("qtos_journal_file_bytes", String::new(), length as f64));
    for (name, count) in handle.merged() {
        all.push(("qtos_conflated_total", name.to_owned(), count as f64));
    }
    all.extend(feeds(handle));
    for (name, figures) in handle.sessions() {
        for (what, metric) in Counted::ALL {
            all.push((metric, name.clone(), figures.of(what) as f64));
        }
    }
    for trip in handle.trips() {
        let kind = trip.scope.split(':').next().unwrap_or_default().to_owned();
        all.push(("qtos_kill_level", kind, f64::from(trip.level as u8)));
    }
    if !all.iter().any(|(name, label, _)| *name == "qtos_kill_level" && label == "global") {
        let level = handle.board().level(Scope::Global);
        all.push(("qtos_kill_level", "global".to_owned(), f64::from(level as u8)));
    }
    let brokers = handle.topology().names.brokers().to_vec();
    let instruments = handle.topology().names.instruments().len();
    let accounts = handle.topology().accounts.len();
    let core = handle.call(move |desk, _, figures| {
        let mut all: Vec<Sample> = Vec::new();
        let mut say = |name, value: f64| all.push((name, String::new(), value));
        say("qtos_events_total", desk.events() as f64);
        say("qtos_feed_position", desk.position() as f64);
        let gaps: u64 =
            (0..instruments).map(|at| desk.lane.market.troubles(InstrumentId(at as u16)).0).sum();
        say("qtos_market_gaps_total", gaps as f64);
        let Some(core) = &desk.lane.core else { return all };
        say("qtos_orders_total", core.tally().orders as f64);
        say("qtos_fills_total", core.oms.fills().len() as f64);
        say("qtos_holds", core.risk.halts.holds().count() as f64);
        say("qtos_kills_unconfirmed", core.enforcement.overdue() as f64);
        say("qtos_orders_open", core.oms.open().count() as f64);
        say("qtos_orders_in_doubt", core.oms.in_doubt() as f64);
        let pnl = (0..accounts)
            .filter_map(|at| core.oms.books.pnl(AccountId(at as u16), &desk.lane.market))
            .map(|pnl| pnl.to_f64())
            .sum();
        say("qtos_pnl", pnl);
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, reason, count) in core.denied() {
            *reasons.entry(reason.name()).or_default() += count;
        }
        for (odd, count) in core.oms.oddities() {
            all.push(("qtos_order_oddities_total", odd.name().to_owned(), *count as f64));
        }
        for (reason, count) in reasons {
            all.push(("qtos_denied_total", reason.to_owned(), count as f64));
        }
        for (number, link) in core.oms.links().iter().enumerate() {
            let name = brokers.get(BrokerId(number as u8).index()).cloned().unwrap_or_default();
            all.push(("qtos_broker_up", name.clone(), f64::from(u8::from(link.up))));
            all.push(("qtos_broker_reconciled", name, f64::from(u8::from(link.reconciled))));
        }
        for quantile in ["0.5", "0.99", "0.999"] {
            let at = quantile.parse().unwrap_or(0.5);
            let nanos = figures.tick_to_order.value_at_quantile(at);
            all.push(("qtos_tick_to_order_seconds", quantile.to_owned(), nanos as f64 / 1e9));
        }
        all
    });
    all.extend(core.unwrap_or_default());
    all
}
