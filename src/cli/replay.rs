//! `qtos replay`.

use super::args::{Global, ReplayArgs};
use super::{CliError, Exit, Progress};
use crate::desk::segments::JournalError;
use crate::disk::OsFolder;
use crate::feed::{Recording, hex};
use crate::replay::{self, Metrics, diff, verify};
use crate::view::{Divergence, Render, Summary, Table, VerifyResult};
use crate::wiring::Registry;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// Runs a recording, or runs a journal again and compares.
pub(super) fn run(
    args: &ReplayArgs,
    global: &Global,
    registry: &Registry,
) -> Result<Exit, CliError> {
    match (&args.file, &args.journal) {
        (Some(file), _) => run_file(file, global, registry),
        (None, Some(state)) if args.verify => run_verify(state, global, registry),
        (None, Some(state)) => run_diff(state, global, registry),
        (None, None) => Err(CliError::usage("replay needs a recording or --journal")),
    }
}

/// A replay's summary and figures.
#[derive(Debug, Serialize)]
struct ReplayResult {
    #[serde(flatten)]
    summary: Summary,
    metrics: Metrics,
}

impl Render for ReplayResult {
    fn render(&self) -> String {
        let figure =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
        let Metrics { turnover, slippage, fees, days, .. } = &self.metrics;
        let mut text = format!(
            "{}\nreturn {} %, sharpe {}, cagr {} %, max drawdown {} %, {days} days\n\
             turnover {turnover}, slippage {slippage}, fees {fees}\n\n",
            self.summary.render(),
            figure(self.metrics.return_pct),
            figure(self.metrics.sharpe),
            figure(self.metrics.cagr_pct),
            figure(self.metrics.max_drawdown_pct),
        );
        let mut table = Table::new(&["agent", ">fills", ">turnover", ">slippage", ">fees", ">pnl"]);
        for (name, row) in &self.metrics.agents {
            table.row([name, &row.fills, &row.turnover, &row.slippage, &row.fees, &row.pnl]);
        }
        text += &table.text("no agent traded");
        text
    }
}

fn run_file(file: &Path, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    let topology = global.topology(&registry.vocabulary())?;
    let recording = Recording::open(file)?;
    let bar = Progress::bytes("replay", std::fs::metadata(file).map_or(0, |meta| meta.len()));
    let start = Instant::now();
    let outcome = replay::run(&topology, registry, recording, &mut |feed| bar.set(feed.offset()))?;
    let elapsed = start.elapsed();
    bar.finish();
    if outcome.unlisted > 0 {
        eprintln!("note: {} records of symbols that the config does not list", outcome.unlisted);
    }
    global.print(&ReplayResult {
        summary: replay::summary(&outcome.desk, &topology.names, elapsed),
        metrics: outcome.report.metrics(&outcome.desk, &topology),
    });
    Ok(Exit::Done)
}

fn run_verify(state: &Path, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    let bar = Progress::spin("verify");
    let verified = verify::verify(&OsFolder::new(state), registry, &mut |done| bar.set(done))?;
    bar.finish();
    let verified = verified.ok_or_else(|| JournalError::Empty(state.display().to_string()))?;
    let result = VerifyResult {
        identical: verified.identical(),
        orders: verified.orders,
        digest: hex(&verified.digest),
        expected: hex(&verified.expected.unwrap_or(verified.digest)),
        first_divergence: verified.difference.map(|difference| Divergence {
            seq: difference.seq,
            expected: difference.expected,
            actual: difference.actual,
        }),
    };
    global.print(&result);
    Ok(if result.identical { Exit::Done } else { Exit::False })
}

fn run_diff(state: &Path, global: &Global, registry: &Registry) -> Result<Exit, CliError> {
    let other = global.topology(&registry.vocabulary())?;
    let bar = Progress::spin("diff");
    let diff = diff::diff(state, &other, registry, &mut |done| bar.set(done))?;
    bar.finish();
    global.print(&diff);
    Ok(Exit::Done)
}

impl Render for diff::Diff {
    fn render(&self) -> String {
        let mut text: String = self.notes.iter().map(|note| format!("note: {note}\n")).collect();
        text += &match &self.first_difference {
            None => "the decisions are the same\n".to_owned(),
            Some(at) => format!(
                "first difference at record {}\n  journal {}\n  other   {}\n",
                at.seq, at.expected, at.actual
            ),
        };
        let (a, b, d) = (&self.journal, &self.other, &self.difference);
        let mut table = Table::new(&["", ">journal", ">other", ">difference"]);
        table.row([&"orders", &a.orders, &b.orders, &d.orders]);
        table.row([&"fills", &a.fills, &b.fills, &d.fills]);
        table.row([&"denied", &a.denied, &b.denied, &d.denied]);
        table.row([&"pnl", &a.pnl, &b.pnl, &d.pnl]);
        text + "\n" + &table.text("")
    }
}
