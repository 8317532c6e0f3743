//! `[session]` and the hours of instruments, as rows of the control `session`: what it obeys is
//! listed, printed and kept like every limit.

use super::config::{InstrumentSection, SessionSection};
use super::names::Names;
use super::source::{ConfigError, Source};
use crate::actors::risk::check::SESSION;
use crate::types::{Calendar, DayStart, InstrumentTable, LimitRow, LimitValue, Scope};
use std::collections::BTreeMap;

/// A word about a symbol, and where it was written.
pub(super) type Word = (String, usize, String);

/// The instruments that may trade outside regular hours.
pub(super) fn permits(
    source: &Source,
    instruments: &[InstrumentSection],
) -> Result<Vec<Word>, ConfigError> {
    let mut words = Vec::new();
    for instrument in instruments {
        let Some(outside) = &instrument.outside_hours else { continue };
        let at = outside.span().start;
        if instrument.calendar == Calendar::Always {
            let message = "`outside_hours` needs a `calendar`: always has no other hours";
            return Err(source.error(at, message));
        }
        if *outside.as_ref() {
            words.push((instrument.symbol.as_ref().0.clone(), at, "outside_hours".to_owned()));
        }
    }
    Ok(words)
}

/// When trading days begin: as written, else at midnight where the exchange is, else in UTC.
pub(super) fn day_start(section: &SessionSection, instruments: &InstrumentTable) -> DayStart {
    let us = instruments.iter().any(|(_, i)| i.calendar == Calendar::UsEquity);
    let default = if us { DayStart::NEW_YORK } else { DayStart::UTC };
    section.day_start.as_ref().map_or(default, |start| start.0)
}

/// The rows of the control: the calendar for all, and what is said of single symbols.
///
/// # Errors
/// A symbol that is no instrument, with its place.
pub(super) fn rows(
    source: &Source,
    section: SessionSection,
    permits: Vec<Word>,
    names: &Names,
) -> Result<Vec<LimitRow>, ConfigError> {
    let mut words = permits;
    for (list, word) in
        [(section.restricted, "restricted"), (section.short_restricted, "short_restricted")]
    {
        for symbol in list {
            let at = symbol.span().start;
            words.push((symbol.into_inner(), at, word.to_owned()));
        }
    }
    for (symbol, located) in section.short_locate {
        let at = located.span().start;
        words.push((symbol, at, format!("locate {}", LimitValue::from(located.into_inner()))));
    }
    let mut by_symbol: BTreeMap<Scope, (usize, Vec<String>)> = BTreeMap::new();
    for (symbol, at, word) in words {
        let id = names.find_symbol(&symbol).map_err(|message| source.error(at, message))?;
        let (line, _) = source.position(at);
        let row = by_symbol.entry(Scope::Symbol(id)).or_insert((line, Vec::new()));
        row.1.push(word);
    }
    let row = |scope, value, line| LimitRow { control: SESSION.to_owned(), scope, value, line };
    let calendar = row(Scope::Global, LimitValue::Text("calendar".to_owned()), 1);
    let symbols = by_symbol
        .into_iter()
        .map(|(scope, (line, words))| row(scope, LimitValue::List(words), line));
    Ok(std::iter::once(calendar).chain(symbols).collect())
}
