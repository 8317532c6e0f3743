//! C3: no limit or stop price further from the market than the collar, and no market order into a
//! touch further from the middle than that. Value: percent, such as `5%` or `0.25%`.

use super::super::limits::{LimitError, LimitRow, Limits};
use super::{Case, Check};
use crate::types::{InstrumentTable, Price, Reason, Scope};
use rust_decimal::Decimal;

const NAME: &str = "price_collar";

/// Parts in a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ppm(i64);

#[derive(Debug)]
struct PriceCollar(Limits<Ppm>);

pub fn build(rows: &[LimitRow], _: &InstrumentTable) -> Result<Box<dyn Check>, LimitError> {
    Ok(Box::new(PriceCollar(Limits::parse(NAME, rows, parse)?)))
}

fn parse(text: &str) -> Result<Ppm, String> {
    let bad = || {
        format!(
            "`{text}` is not a percentage such as 5% or 0.25%, with four digits at most after the point"
        )
    };
    let percent = text.trim().strip_suffix('%').ok_or_else(bad)?;
    let percent = Decimal::from_str_exact(percent.trim()).map_err(|_| bad())?;
    let ppm = percent.checked_mul(Decimal::from(10_000)).ok_or_else(bad)?.normalize();
    let ppm = i64::try_from(ppm).ok().filter(|_| ppm.scale() == 0).ok_or_else(bad)?;
    if (1..=1_000_000).contains(&ppm) {
        Ok(Ppm(ppm))
    } else {
        Err(format!("`{text}` must be above 0% and at most 100%"))
    }
}

fn within(price: Price, mark: Price, collar: Ppm) -> bool {
    let distance = i128::from(price.raw()) - i128::from(mark.raw());
    distance.abs() * 1_000_000 <= i128::from(mark.raw()) * i128::from(collar.0)
}

impl Check for PriceCollar {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&mut self, case: &Case<'_>) -> Result<(), Reason> {
        let mark = case.mark.ok_or(Reason::NoPrice)?;
        let named = [case.terms.ord_type.limit_price(), case.terms.ord_type.stop_price()];
        for (_, collar) in self.0.covering(case.route) {
            let named_fit = named.iter().flatten().all(|price| within(*price, mark, *collar));
            let touch_fits = named[0].is_some() || within(case.price, mark, *collar);
            if !named_fit || !touch_fits {
                return Err(Reason::PriceCollar);
            }
        }
        Ok(())
    }

    fn limits(&self) -> Vec<(Scope, String)> {
        let text = |ppm: &Ppm| format!("{}%", Decimal::new(ppm.0, 4).normalize());
        self.0.rows().iter().map(|(scope, limit)| (*scope, text(limit))).collect()
    }
}
