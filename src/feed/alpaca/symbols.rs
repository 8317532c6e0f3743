//! The broker's symbols and the gateway's instruments.

use crate::types::InstrumentId;

/// Longest symbol: the key of the lookup is one machine word of 128 bits.
pub const MAX_SYMBOL: usize = 15;

/// The venue's symbols, found without allocation.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    keys: Vec<(u128, InstrumentId)>,
    names: Vec<(String, InstrumentId)>,
}

impl Symbols {
    /// From the venue's names with the instruments they stand for.
    ///
    /// # Errors
    /// The name that is too long, or there twice.
    pub fn new(names: Vec<(String, InstrumentId)>) -> Result<Self, String> {
        let mut keys = Vec::with_capacity(names.len());
        for (name, id) in &names {
            let key = key(name.as_bytes()).filter(|_| !name.is_empty());
            let key = key
                .ok_or_else(|| format!("symbol `{name}` is not of 1 to {MAX_SYMBOL} characters"))?;
            keys.push((key, *id));
        }
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let twice = names.iter().find(|(_, id)| *id == pair[0].1);
            let twice = twice.map_or("?", |(name, _)| name.as_str());
            return Err(format!("symbol `{twice}` stands for two instruments"));
        }
        Ok(Self { keys, names })
    }

    /// The instrument behind a symbol of the wire.
    #[inline]
    pub fn find(&self, symbol: &[u8]) -> Option<InstrumentId> {
        let key = key(symbol)?;
        let at = self.keys.partition_point(|(known, _)| *known < key);
        self.keys.get(at).filter(|(known, _)| *known == key).map(|(_, id)| *id)
    }

    /// All of them, in the order in which they were given.
    pub fn names(&self) -> &[(String, InstrumentId)] {
        &self.names
    }
}

#[inline]
fn key(symbol: &[u8]) -> Option<u128> {
    if symbol.len() > MAX_SYMBOL {
        return None;
    }
    Some(symbol.iter().fold(symbol.len() as u128, |key, &byte| (key << 8) | u128::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_was_given() {
        let names = [("AAPL", 3), ("BTC/USD", 1), ("A", 2), ("AA", 9)];
        let symbols =
            Symbols::new(names.map(|(name, id)| (name.to_owned(), InstrumentId(id))).into())
                .unwrap();
        for (name, id) in names {
            assert_eq!(symbols.find(name.as_bytes()), Some(InstrumentId(id)));
        }
        for none in ["", "AAP", "AAPLX", "0123456789ABCDEF"] {
            assert_eq!(symbols.find(none.as_bytes()), None, "{none}");
        }
        let twice = vec![("A".to_owned(), InstrumentId(0)), ("A".to_owned(), InstrumentId(1))];
        assert!(Symbols::new(twice).is_err());
        assert!(Symbols::new(vec![("0123456789ABCDEF".to_owned(), InstrumentId(0))]).is_err());
    }
}
