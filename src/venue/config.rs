//! How the sandbox exchange behaves: fill model, latency, fees, rejects, all from a seed.

use crate::types::{Calendar, Nanos, Notional, Price, Qty, Timestamp};
use rand_core::Rng;
use rand_pcg::Pcg32;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// At which price and for which size orders fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillModel {
    /// The whole order at the touch, whatever size is shown there.
    #[default]
    Touch,
    /// At the touch, limited by the size shown there. What was taken does not come back until that
    /// quote changes; the rest of the order stays, or ends by its time in force.
    Displayed,
    /// The whole order at the close of a bar. Quotes and trades move nothing.
    SameBarClose,
}

/// What the exchange charges for a fill. Negative numbers are rebates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fees {
    /// Per unit traded, in the instrument's currency; up to nine digits after the point.
    pub per_unit: Decimal,
    /// Basis points of the value traded; up to three digits after the point.
    pub basis_points: Decimal,
}

/// Settings of the sandbox exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExchangeConfig {
    /// At which price and for which size orders fill.
    pub fill_model: FillModel,
    /// Session time from a request's arrival at the port to its execution.
    pub latency: Nanos,
    /// Up to this much more, drawn from the seed for each request; requests never overtake.
    pub jitter: Nanos,
    /// Fees.
    pub fees: Fees,
    /// Share of new orders that are rejected for no reason, `"0"` to `"1"`.
    pub reject_ratio: Decimal,
    /// Day orders in an instrument that always trades end at this second of the UTC day, 0 to 86,399.
    pub day_end_utc_seconds: u32,
    /// Where every draw comes from.
    pub seed: u64,
}

const SCALE_BP: i64 = 1_000;
const DAY: u64 = 86_400_000_000_000;

/// The same settings, checked and in fixed point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub fill_model: FillModel,
    pub latency: Nanos,
    jitter: u64,
    per_unit: Price,
    /// Basis points in thousandths.
    milli_bp: i64,
    /// Draws below this of 2^32 are rejects.
    reject_below: u64,
    day_end: u64,
    seed: u64,
}

impl Rules {
    pub fn new(config: &ExchangeConfig) -> Result<Self, String> {
        let per_unit = Price::from_decimal(config.fees.per_unit)
            .map_err(|error| format!("fees.per_unit: {error}"))?;
        let milli = config.fees.basis_points.normalize();
        if milli.scale() > 3 || milli.abs() > Decimal::from(10_000) {
            return Err("fees.basis_points: at most three digits after the point and 10000".into());
        }
        let milli_bp = i64::try_from(milli.mantissa() * 10i128.pow(3 - milli.scale()))
            .map_err(|_| "fees.basis_points: out of range".to_string())?;
        if config.reject_ratio.is_sign_negative() || config.reject_ratio > Decimal::ONE {
            return Err("reject_ratio: from 0 to 1".into());
        }
        let below = (config.reject_ratio * Decimal::from(1u64 << 32)).floor();
        let reject_below =
            u64::try_from(below).map_err(|_| "reject_ratio: from 0 to 1".to_string())?;
        if config.day_end_utc_seconds >= 86_400 {
            return Err("day_end_utc_seconds: from 0 to 86399".into());
        }
        Ok(Self {
            fill_model: config.fill_model,
            latency: config.latency,
            jitter: config.jitter.0,
            per_unit,
            milli_bp,
            reject_below,
            day_end: u64::from(config.day_end_utc_seconds) * 1_000_000_000,
            seed: config.seed,
        })
    }

    /// Exact fee of a fill; basis points are cut to 1e-18.
    pub fn fee(&self, price: Price, qty: Qty, multiplier: u32) -> Notional {
        let by_value = price
            .notional(qty, multiplier)
            .checked_ratio(self.milli_bp, 10_000 * SCALE_BP)
            .unwrap_or(Notional::ZERO);
        self.per_unit.notional(qty, 1).saturating_add(by_value)
    }

    /// Whether the seed rejects order `number`. No state, so a restart draws the same.
    pub fn rejects(&self, number: u64) -> bool {
        self.reject_below > 0
            && u64::from(Pcg32::new(self.seed, number).next_u32()) < self.reject_below
    }

    /// How long request `count` of connection `connection` is under way.
    pub fn delay(&self, connection: u64, count: u64) -> Nanos {
        if self.jitter == 0 {
            return self.latency;
        }
        let draw = Pcg32::new(self.seed ^ connection.rotate_left(32), count).next_u64();
        Nanos(self.latency.0.saturating_add(match self.jitter.checked_add(1) {
            Some(range) => draw % range,
            None => draw,
        }))
    }

    /// When a day order that comes at `now` ends: with the session it can trade in. Where that never
    /// ends, at the set time of day.
    pub fn day_end(&self, now: Timestamp, calendar: Calendar, extended_hours: bool) -> Timestamp {
        if calendar != Calendar::Always
            && let Some(session) = calendar.session(now)
        {
            if extended_hours {
                return session.post;
            }
            if now < session.close {
                return session.close;
            }
            if let Some(next) = calendar.session(session.post) {
                return next.close;
            }
        }
        let into_day = (now.nanos() % DAY + DAY - self.day_end) % DAY;
        now + Nanos(DAY - into_day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<Rules, String> {
        toml::from_str::<ExchangeConfig>(text)
            .map_err(|error| error.to_string())
            .and_then(|config| Rules::new(&config))
    }

    #[test]
    fn fees_are_exact() {
        let rules = rules("[fees]\nper_unit = \"0.005\"\nbasis_points = \"0.125\"").unwrap();
        let fee = rules.fee("181.42".parse().unwrap(), Qty::whole(300), 1);
        // 300 * 0.005 + 300 * 181.42 * 0.0000125
        assert_eq!(fee, "2.180325".parse().unwrap());
    }

    #[test]
    fn a_bad_setting_is_named() {
        for (text, field) in [
            ("reject_ratio = \"1.5\"", "reject_ratio"),
            ("day_end_utc_seconds = 86400", "day_end_utc_seconds"),
            ("[fees]\nbasis_points = \"0.00001\"", "fees.basis_points"),
            ("[fees]\nper_unit = \"0.00000000001\"", "fees.per_unit"),
            ("fill_model = \"magic\"", "magic"),
            ("speed = 5", "speed"),
        ] {
            let error = rules(text).unwrap_err();
            assert!(error.contains(field), "{text}: {error}");
        }
    }

    #[test]
    fn the_day_ends_where_the_setting_says() {
        let hour = 3_600_000_000_000;
        let rules = rules("day_end_utc_seconds = 7200").unwrap();
        let end =
            |at: u64| rules.day_end(Timestamp::from_nanos(at), Calendar::Always, false).nanos();
        assert_eq!(end(hour), 2 * hour);
        assert_eq!(end(2 * hour), 26 * hour);
        assert_eq!(end(25 * hour), 26 * hour);
    }

    #[test]
    fn day_orders_end_with_the_session_they_trade_in() {
        let rules = rules("").unwrap();
        for (now, extended, end) in [
            ("2024-11-27T12:00:00Z", false, "2024-11-27T21:00:00Z"),
            ("2024-11-27T12:00:00Z", true, "2024-11-28T01:00:00Z"),
            ("2024-11-27T20:59:59.999999999Z", false, "2024-11-27T21:00:00Z"),
            // After the close, a holiday, a half day.
            ("2024-11-27T21:00:00Z", false, "2024-11-29T18:00:00Z"),
            ("2024-11-28T15:00:00Z", true, "2024-11-29T22:00:00Z"),
            ("2024-11-29T19:00:00Z", false, "2024-12-02T21:00:00Z"),
            // Nothing is known of that year: the set time of day.
            ("2030-01-02T15:00:00Z", false, "2030-01-03T00:00:00Z"),
        ] {
            let at = rules.day_end(now.parse().unwrap(), Calendar::UsEquity, extended);
            assert_eq!(at, end.parse().unwrap(), "{now}");
        }
    }

    #[test]
    fn draws_repeat_and_follow_the_ratio() {
        let rules =
            rules("reject_ratio = \"0.25\"\njitter = \"100ns\"\nlatency = \"50ns\"\nseed = 7")
                .unwrap();
        let rejected = (0..10_000).filter(|&n| rules.rejects(n)).count();
        assert!((2_300..2_700).contains(&rejected), "{rejected}");
        assert!((0..1_000).all(|n| (50..=150).contains(&rules.delay(1, n).0)));
        assert_eq!(rules.delay(3, 9), rules.delay(3, 9));
    }
}
