//! `qtos audit`.

use super::args::{AuditCommand, Global};
use super::{CliError, Exit};
use crate::live::{Audit, AuditError, AuditLine};
use crate::view::{Render, Table};
use serde::Serialize;

/// What `audit verify` found.
#[derive(Debug, Serialize)]
struct AuditCheck {
    ok: bool,
    /// Whole lines.
    lines: u64,
    /// Bytes of a last line that a crash cut off.
    torn_bytes: u64,
    /// The first line that does not fit.
    broken_line: Option<u64>,
    error: Option<String>,
}

/// Every act.
#[derive(Debug, Serialize)]
struct AuditLines {
    lines: Vec<AuditLine>,
}

/// Shows or checks the audit file of the state folder.
///
/// # Errors
/// It cannot be read; damage makes `verify` false, and `show` fail.
pub(super) fn run(command: AuditCommand, global: &Global) -> Result<Exit, CliError> {
    let state = global.state_dir();
    if !state.is_dir() {
        return Err(CliError::input(format!("{}: no state folder", state.display())));
    }
    let audit = Audit::of(&state);
    let mut lines = Vec::new();
    let mut count = 0;
    let found = audit.verify(|line| {
        count += 1;
        if matches!(command, AuditCommand::Show) {
            lines.push(line);
        }
    });
    let check = match (command, found) {
        (AuditCommand::Show, Ok(_)) => {
            global.print(&AuditLines { lines });
            return Ok(Exit::Done);
        }
        // Every boot leaves a line in it.
        (AuditCommand::Verify, Ok((0, _))) if state.join("journal").is_dir() => {
            let error = Some("the audit file is missing or empty".to_owned());
            AuditCheck { ok: false, lines: 0, torn_bytes: 0, broken_line: None, error }
        }
        (AuditCommand::Verify, Ok((lines, torn_bytes))) => {
            AuditCheck { ok: true, lines, torn_bytes, broken_line: None, error: None }
        }
        (AuditCommand::Verify, Err(error @ AuditError::Broken(_, line, _))) => {
            let (broken_line, error) = (Some(line), Some(error.to_string()));
            AuditCheck { ok: false, lines: count, torn_bytes: 0, broken_line, error }
        }
        (_, Err(error)) => return Err(CliError::input(error.to_string())),
    };
    global.print(&check);
    Ok(if check.ok { Exit::Done } else { Exit::False })
}

impl Render for AuditCheck {
    fn render(&self) -> String {
        match &self.error {
            Some(error) => format!("broken: {error}\n"),
            None => format!("{} lines, whole ({} torn bytes)\n", self.lines, self.torn_bytes),
        }
    }
}

impl Render for AuditLines {
    fn render(&self) -> String {
        let mut table = Table::new(&["time", "who", "what", "scope", "before", "after", "reason"]);
        for AuditLine { time, act, .. } in &self.lines {
            table.row([
                &time.to_string(),
                &act.who,
                &act.what,
                &act.scope,
                &act.before,
                &act.after,
                &act.reason,
            ]);
        }
        table.text("no acts")
    }
}
