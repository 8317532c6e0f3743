//! What this venue trades: one asset for each instrument of its market.

use super::ids;
use crate::alpaca::{Asset, AssetClass, Number, Uuid};
use crate::types::{Calendar, Instrument, InstrumentId, InstrumentTable, Price, Qty};
use rust_decimal::Decimal;

/// Assets whose id, name and exchange are public knowledge; ids of others are made of their symbol.
const KNOWN: &[(&str, &str, &str)] = &[
    ("AAPL", "Apple Inc. Common Stock", "NASDAQ"),
    ("AMZN", "Amazon.com, Inc. Common Stock", "NASDAQ"),
    ("BAC", "Bank of America Corporation", "NYSE"),
    ("BTC/USD", "Bitcoin / US Dollar", "CRYPTO"),
    ("GOOG", "Alphabet Inc. Class C Capital Stock", "NASDAQ"),
    ("IBM", "International Business Machines Corporation", "NYSE"),
    ("SPY", "SPDR S&P 500 ETF Trust", "ARCA"),
    ("TSLA", "Tesla, Inc. Common Stock", "NASDAQ"),
    ("XLK", "Technology Select Sector SPDR Fund", "ARCA"),
];
const AAPL: Uuid = Uuid(0xb0b6_dd9d_8b9b_48a9_ba46_b9d5_4906_e415);

/// The assets, by instrument.
#[derive(Debug)]
pub(super) struct Assets {
    list: Vec<Asset>,
}

impl Assets {
    pub fn new(instruments: &InstrumentTable) -> Self {
        Self { list: instruments.iter().map(|(_, one)| asset(&one.symbol)).collect() }
    }

    pub fn get(&self, id: InstrumentId) -> &Asset {
        &self.list[id.index()]
    }

    pub fn all(&self) -> &[Asset] {
        &self.list
    }

    pub fn is_crypto(&self, id: InstrumentId) -> bool {
        self.get(id).class == AssetClass::Crypto
    }

    /// By symbol (`SPY`, `SPY:ARCA`, `SPY:ARCA:us_equity`, `BTC/USD`, `BTCUSD`) or id.
    pub fn find(&self, name: &str) -> Option<InstrumentId> {
        let id = name.parse::<Uuid>().ok();
        let symbol = name.split(':').next().unwrap_or(name);
        let fits = |asset: &Asset| {
            asset.symbol == symbol
                || Some(asset.id) == id
                || (asset.class == AssetClass::Crypto && asset.symbol.replace('/', "") == symbol)
        };
        let at = self.list.iter().position(fits)?;
        u16::try_from(at).ok().map(InstrumentId)
    }
}

fn is_crypto(symbol: &str) -> bool {
    symbol.contains('/')
}

fn asset(symbol: &str) -> Asset {
    let known = KNOWN.iter().find(|(own, ..)| *own == symbol);
    let crypto = is_crypto(symbol);
    let small = |digits| crypto.then(|| Number(Decimal::new(1, digits)));
    Asset {
        id: if symbol == "AAPL" { AAPL } else { ids::of_text("asset", symbol) },
        class: if crypto { AssetClass::Crypto } else { AssetClass::UsEquity },
        exchange: known.map_or(if crypto { "CRYPTO" } else { "NYSE" }, |row| row.2).to_owned(),
        symbol: symbol.to_owned(),
        name: known.map_or(symbol, |row| row.1).to_owned(),
        status: "active".to_owned(),
        tradable: true,
        marginable: !crypto,
        maintenance_margin_requirement: if crypto { 100 } else { 30 },
        margin_requirement_long: if crypto { "100" } else { "30" }.to_owned(),
        margin_requirement_short: if crypto { "100" } else { "30" }.to_owned(),
        shortable: !crypto,
        easy_to_borrow: !crypto,
        fractionable: true,
        attributes: Vec::new(),
        min_order_size: small(4),
        min_trade_increment: small(9),
        price_increment: small(9),
    }
}

/// The steps that the exchange trades an instrument in: fractions of a share, and a hundredth of a
/// cent below one dollar. What of them an order may use is checked before it gets there.
pub(super) fn traded(instrument: &Instrument, calendar: Calendar) -> Instrument {
    let crypto = is_crypto(&instrument.symbol);
    Instrument {
        tick: Price::from_raw(if crypto { 1 } else { 100_000 }),
        lot: Qty::from_raw(1),
        calendar: if crypto { Calendar::Always } else { calendar },
        ..instrument.clone()
    }
}
