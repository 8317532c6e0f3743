//! C3: no limit or stop price further from the market than the collar, and no market order into a
//! touch further from the middle than that. Value: percent, ticks or both: `5%`, `200 ticks`,
//! `5%, 200 ticks`.

use super::super::limits::{Known, LimitError, Limits};
use super::super::value::{Ppm, Value, one};
use super::{Case, Check, rows_in};
use crate::kill::Route;
use crate::types::{LimitRow, LimitValue, Price, Reason};

const NAME: &str = "price_collar";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Collar {
    part: Option<Ppm>,
    ticks: Option<u32>,
}

impl Collar {
    fn holds(self, price: Price, mark: Price, tick: Price) -> bool {
        let distance = i128::from(price.raw()) - i128::from(mark.raw());
        let distance = planted!(CollarOneSided, distance.abs(), distance);
        let distance = i64::try_from(distance).unwrap_or(i64::MAX);
        self.part.is_none_or(|part| part.holds(distance, mark.raw()))
            && self.ticks.is_none_or(|ticks| {
                i128::from(distance) <= i128::from(ticks) * i128::from(tick.raw())
            })
    }
}

impl Value for Collar {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        let text = one(value)?;
        let mut collar = Self { part: None, ticks: None };
        for part in text.split(',') {
            let doubled = match part.trim().strip_suffix("ticks") {
                Some(count) => {
                    let count = count.trim().parse().ok().filter(|count| *count > 0);
                    let count =
                        count.ok_or_else(|| format!("`{part}` is not a number of ticks"))?;
                    collar.ticks.replace(count).is_some()
                }
                None => collar.part.replace(Ppm::read(part)?).is_some(),
            };
            if doubled {
                return Err(format!("`{text}` says the same twice"));
            }
        }
        Ok(collar)
    }

    fn text(&self) -> String {
        match (self.part, self.ticks) {
            (Some(part), Some(ticks)) => format!("{part}, {ticks} ticks"),
            (Some(part), None) => part.to_string(),
            (None, Some(ticks)) => format!("{ticks} ticks"),
            (None, None) => String::new(),
        }
    }

    fn within(&self, old: &Self) -> bool {
        let part = old.part.is_none_or(|old| self.part.is_some_and(|new| new <= old));
        let ticks = old.ticks.is_none_or(|old| self.ticks.is_some_and(|new| new <= old));
        part && ticks
    }
}

#[derive(Debug)]
struct PriceCollar(Limits<Collar>);

pub fn build(rows: &[LimitRow], known: &Known) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(PriceCollar(Limits::new(NAME, rows, known)?)))
}

impl Check for PriceCollar {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let mark = case.mark.ok_or(Reason::NoPrice)?;
        let stop = planted!(CollarSkipsStops, case.terms.ord_type.stop_price(), None);
        let named = [case.terms.ord_type.limit_price(), stop];
        let tick = case.instrument.tick;
        for (_, collar) in self.0.covering(case) {
            let named_fit = named.iter().flatten().all(|price| collar.holds(*price, mark, tick));
            let touch_fits = named[0].is_some() || collar.holds(case.touch, mark, tick);
            if !named_fit || !touch_fits {
                return Err(Reason::PriceCollar);
            }
        }
        Ok(())
    }

    fn margin(&self, route: Route, price: Price, tick: Price) -> Price {
        let of = |collar: &Collar| {
            let part = collar.part.map(|part| match price.raw().checked_mul(part.0) {
                Some(product) => product / 1_000_000,
                None => i64::try_from(i128::from(price.raw()) * i128::from(part.0) / 1_000_000)
                    .unwrap_or(i64::MAX),
            });
            let ticks = collar.ticks.map(|ticks| tick.raw().saturating_mul(i64::from(ticks)));
            part.into_iter().chain(ticks).min().unwrap_or(i64::MAX)
        };
        let least = self.0.on(route).map(|(_, collar)| of(collar)).min();
        Price::from_raw(least.unwrap_or(0))
    }

    rows_in!(0);
}
