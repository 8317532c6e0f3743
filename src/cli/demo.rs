//! `qtos demo`: the built-in sandbox in a fresh temporary folder, for a first look.

use super::args::{DemoArgs, Global};
use super::run::{Event, drive, log_to_stderr};
use super::{CliError, Exit};
use crate::entry::{Gateway, LiveGateway, OrderFilter};
use crate::feed::Speed;
use crate::live::Options;
use crate::view::word;
use crate::wiring::Registry;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shows market, orders and fills until the time is over or Ctrl-C.
///
/// # Errors
/// As `run`.
pub fn run(args: &DemoArgs, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    log_to_stderr("warn");
    let topology = global.topology(&registry.vocabulary())?;
    let (state, fresh) = match &global.state_dir {
        Some(state) => (state.clone(), false),
        None => (fresh_folder()?, true),
    };
    // Faster than the clock, so that the slow averages have something to say at once.
    let speed = Speed::Times(NonZeroU32::MIN.saturating_add(9));
    let options = Options { state: state.clone(), file: None, speed };
    let limit = args.seconds.map(Duration::from_secs);
    let mut show = (!global.json).then(Show::default);
    let summary = drive(&topology, registry, &options, limit, &mut |event| {
        let Some(show) = &mut show else { return };
        match event {
            Event::Started(url, gateway) => {
                println!("control API on {url}, state in {}", state.display());
                println!("try: qtos --state-dir {} status", state.display());
                println!(
                    "     qtos --state-dir {} kill --scope global --level cancel --reason drill",
                    state.display()
                );
                show.gateway = Some(Arc::clone(gateway));
            }
            Event::Beat => show.beat(),
        }
    });
    if fresh {
        // A leftover folder of a demo is of no use to anyone; failing to remove it harms no one.
        let _ = std::fs::remove_dir_all(&state);
    }
    global.print(&summary?);
    Ok(Exit::Done)
}

fn fresh_folder() -> Result<PathBuf, CliError> {
    let mut tag = [0; 8];
    getrandom::fill(&mut tag).map_err(|error| CliError::input(error.to_string()))?;
    Ok(std::env::temp_dir().join(format!("qtos-demo-{:016x}", u64::from_le_bytes(tag))))
}

/// Prints what is new, twice a second.
#[derive(Default)]
struct Show {
    gateway: Option<Arc<LiveGateway>>,
    last: Option<Instant>,
    orders: usize,
    fills: usize,
}

/// Lines of a kind that one look prints.
const LINES: usize = 4;

impl Show {
    fn beat(&mut self) {
        let Some(gateway) = self.gateway.clone() else { return };
        if self.last.is_some_and(|last| last.elapsed() < Duration::from_millis(500)) {
            return;
        }
        self.last = Some(Instant::now());
        for line in gateway.market() {
            println!("market  {line}");
        }
        let all = OrderFilter { open: false, limit: usize::MAX };
        if let Ok(orders) = gateway.orders(all) {
            for order in orders.iter().skip(self.orders.max(orders.len().saturating_sub(LINES))) {
                let price = order.price.map_or(String::new(), |price| format!(" at {price}"));
                let qty = order.qty.map_or(String::new(), |qty| qty.to_string());
                println!(
                    "order   {} {} {qty} {}{price}: {}",
                    order.agent,
                    word(&order.side),
                    order.symbol,
                    word(&order.status)
                );
            }
            self.orders = orders.len();
        }
        if let Ok(fills) = gateway.fills(usize::MAX) {
            for fill in fills.iter().skip(self.fills.max(fills.len().saturating_sub(LINES))) {
                println!(
                    "fill    {} {} {} {} at {}",
                    fill.agent,
                    word(&fill.side),
                    fill.qty,
                    fill.symbol,
                    fill.price
                );
            }
            self.fills = fills.len();
        }
    }
}
