//! One asset for each instrument.

use super::{Asset, AssetClass, Number, Params, Uuid};
use crate::types::{InstrumentId, InstrumentTable};
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
pub struct Assets {
    list: Vec<Asset>,
}

impl Assets {
    /// The assets of these instruments.
    pub fn new(instruments: &InstrumentTable) -> Self {
        Self { list: instruments.iter().map(|(_, one)| describe(&one.symbol)).collect() }
    }

    /// That of an instrument.
    pub fn get(&self, id: InstrumentId) -> &Asset {
        &self.list[id.index()]
    }

    /// All of them, by instrument.
    pub fn all(&self) -> &[Asset] {
        &self.list
    }

    /// Whether it is a coin.
    pub fn is_crypto(&self, id: InstrumentId) -> bool {
        self.get(id).class == AssetClass::Crypto
    }

    /// `GET /v2/assets`.
    pub fn list(&self, query: &Params) -> Vec<&Asset> {
        let fits = |key: &str, own: &str| query.get(key).is_none_or(|wanted| wanted == own);
        let all = self.list.iter();
        all.filter(|asset| {
            fits("status", &asset.status)
                && fits("asset_class", asset.class.as_str())
                && fits("exchange", &asset.exchange)
        })
        .collect()
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

/// Whether a symbol names a coin: `BTC/USD`.
pub fn is_coin(symbol: &str) -> bool {
    symbol.contains('/')
}

/// The asset of a symbol.
pub fn describe(symbol: &str) -> Asset {
    let known = KNOWN.iter().find(|(own, ..)| *own == symbol);
    let crypto = is_coin(symbol);
    let small = |digits| crypto.then(|| Number(Decimal::new(1, digits)));
    Asset {
        id: if symbol == "AAPL" { AAPL } else { Uuid::of_text("asset", symbol) },
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
