//! `qtos demo`: the built-in sandbox in a fresh temporary folder, for a first look.

use super::args::{DemoArgs, Global};
use super::run::{drive, log_to_stderr};
use super::{CliError, Exit};
use crate::entry::{Gateway, LiveGateway, OrderFilter};
use crate::feed::Speed;
use crate::live::Options;
use crate::view::word;
use crate::wiring::Registry;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Shows market, orders and fills until the time is over or Ctrl-C.
///
/// # Errors
/// As `run`.
pub fn run(args: &DemoArgs, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    log_to_stderr("warn");
    let topology = global.topology(&registry.vocabulary())?;
    let (state, fresh) = match &global.state_dir {
        Some(state) => (state.clone(), false),
        None => (fresh_folder("demo")?, true),
    };
    // Faster than the clock, so that the slow averages have something to say at once.
    let speed = Speed::Times(NonZeroU32::MIN.saturating_add(9));
    let options = Options { state: state.clone(), file: None, speed };
    let limit = args.seconds.map(Duration::from_secs);
    let ended = Arc::new(AtomicBool::new(false));
    let says = !global.json;
    let summary = drive(&topology, registry, &options, limit, &mut |url, gateway| {
        if says {
            println!("control API on {url}, state in {}", state.display());
            let own = format!("qtos --state-dir {}", state.display());
            println!("try: {own} status");
            println!("     {own} kill --scope global --level cancel --reason drill");
            // On a thread of its own: questions to the core wait, the actors' thread may not.
            let (gateway, ended) = (Arc::clone(gateway), Arc::clone(&ended));
            std::thread::spawn(move || Show::new(gateway).run(&ended));
        }
    });
    ended.store(true, Ordering::SeqCst);
    if fresh {
        // A leftover folder of a demo is of no use to anyone; failing to remove it harms no one.
        let _ = std::fs::remove_dir_all(&state);
    }
    global.print(&summary?);
    Ok(Exit::Done)
}

/// Name of a temporary folder that nobody else has.
pub(super) fn fresh_folder(what: &str) -> Result<PathBuf, CliError> {
    let mut tag = [0; 8];
    getrandom::fill(&mut tag).map_err(|error| CliError::input(error.to_string()))?;
    Ok(std::env::temp_dir().join(format!("qtos-{what}-{:016x}", u64::from_le_bytes(tag))))
}

/// Prints what is new, twice a second.
struct Show {
    gateway: Arc<LiveGateway>,
    orders: usize,
    fills: usize,
}

/// Lines of a kind that one look prints.
const LINES: usize = 4;

impl Show {
    fn new(gateway: Arc<LiveGateway>) -> Self {
        Self { gateway, orders: 0, fills: 0 }
    }

    fn run(mut self, ended: &AtomicBool) {
        while !ended.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(500));
            self.look();
        }
    }

    fn look(&mut self) {
        for line in self.gateway.market() {
            println!("market  {line}");
        }
        let all = OrderFilter { open: false, limit: usize::MAX };
        let orders = self.gateway.orders(all).unwrap_or_default();
        for order in orders.iter().skip(self.orders.max(orders.len().saturating_sub(LINES))) {
            let price = order.price.map_or(String::new(), |price| format!(" at {price}"));
            let qty = order.qty.map_or(String::new(), |qty| qty.to_string());
            let (side, status) = (word(&order.side), word(&order.status));
            println!("order   {} {side} {qty} {}{price}: {status}", order.agent, order.symbol);
        }
        self.orders = self.orders.max(orders.len());
        let fills = self.gateway.fills(usize::MAX).unwrap_or_default();
        for fill in fills.iter().skip(self.fills.max(fills.len().saturating_sub(LINES))) {
            let side = word(&fill.side);
            println!(
                "fill    {} {side} {} {} at {}",
                fill.agent, fill.qty, fill.symbol, fill.price
            );
        }
        self.fills = self.fills.max(fills.len());
    }
}
