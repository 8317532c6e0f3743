//! The values that limits take, and what makes one tighter than another.

use super::limits::Known;
use crate::types::{LimitValue, Nanos, Notional, NumberError, Qty};
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use std::str::FromStr;

/// The value of a control's rows.
pub trait Value: Clone + Send + std::fmt::Debug {
    /// Reads what was written.
    ///
    /// # Errors
    /// What is wrong with it.
    fn parse(value: &LimitValue, known: &Known) -> Result<Self, String>;

    /// As people write it.
    fn text(&self) -> String;

    /// Whether it lets nothing through that `old` holds back.
    fn within(&self, old: &Self) -> bool;

    /// Whether it lets nothing through where there was no row at all.
    fn only_denies(&self) -> bool {
        true
    }

    /// Half of it, where there is such a thing: what an operator's order may use without being asked
    /// again.
    #[must_use]
    fn half(&self) -> Self {
        self.clone()
    }
}

/// The text of a value that is no list.
///
/// # Errors
/// It is a list.
pub fn one(value: &LimitValue) -> Result<&str, String> {
    match value {
        LimitValue::Text(text) => Ok(text.trim()),
        LimitValue::List(_) => Err("takes one value, not a list".to_owned()),
    }
}

fn number<T: FromStr<Err = NumberError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

fn above_zero<T>(value: &LimitValue) -> Result<T, String>
where
    T: FromStr<Err = NumberError> + Default + PartialOrd,
{
    let text = one(value)?;
    let value: T = number(text)?;
    if value > T::default() { Ok(value) } else { Err(format!("`{text}` must be above zero")) }
}

/// At most so many units, above zero.
impl Value for Qty {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        above_zero(value)
    }
    fn text(&self) -> String {
        self.to_string()
    }
    fn within(&self, old: &Self) -> bool {
        self <= old
    }
    fn half(&self) -> Self {
        Self::from_raw(self.raw() / 2)
    }
}

/// At most so much money, above zero.
impl Value for Notional {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        above_zero(value)
    }
    fn text(&self) -> String {
        self.to_string()
    }
    fn within(&self, old: &Self) -> bool {
        self <= old
    }
    fn half(&self) -> Self {
        Self::from_raw(self.raw() / 2)
    }
}

/// At most so long, above zero.
impl Value for Nanos {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        let text = one(value)?;
        let span: Self = text.parse()?;
        if span.0 > 0 { Ok(span) } else { Err(format!("`{text}` must be above zero")) }
    }
    fn text(&self) -> String {
        self.to_string()
    }
    fn within(&self, old: &Self) -> bool {
        self <= old
    }
}

/// At most so many, above zero.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Count(pub u32);

impl Value for Count {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        let text = one(value)?;
        match text.parse() {
            Ok(0) | Err(_) => Err(format!("`{text}` is not a whole number above zero")),
            Ok(count) => Ok(Self(count)),
        }
    }
    fn text(&self) -> String {
        self.0.to_string()
    }
    fn within(&self, old: &Self) -> bool {
        self.0 <= old.0
    }
}

/// At most so many in any window of a length: `100/1s`, `20/500ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub window: Nanos,
}

impl Rate {
    const MOST: u32 = 100_000;

    /// Reads `100/1s`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a rate such as 100/1s or 20/500ms");
        let (count, window) = text.split_once('/').ok_or_else(bad)?;
        let count: u32 = count.trim().parse().map_err(|_| bad())?;
        let window: Nanos = window.parse().map_err(|_| bad())?;
        if count == 0 || count > Self::MOST || window.0 == 0 {
            return Err(format!("`{text}`: 1 to {} in a window above zero", Self::MOST));
        }
        Ok(Self { count, window })
    }
}

impl Value for Rate {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        Self::read(one(value)?)
    }
    fn text(&self) -> String {
        format!("{}/{}", self.count, self.window)
    }
    fn within(&self, old: &Self) -> bool {
        self.count <= old.count && self.window >= old.window
    }
}

/// Parts in a million, above zero and at most one: `5%`, `0.25%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ppm(pub i64);

impl Ppm {
    /// Reads a percentage.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
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
            Ok(Self(ppm))
        } else {
            Err(format!("`{text}` must be above 0% and at most 100%"))
        }
    }

    /// Whether `part` of `whole`, both raw and not negative, is at most this.
    #[inline]
    pub fn holds(self, part: i64, whole: i64) -> bool {
        i128::from(part) * 1_000_000 <= i128::from(whole) * i128::from(self.0)
    }
}

impl std::fmt::Display for Ppm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", Decimal::new(self.0, 4).normalize())
    }
}

/// How far a price may move in a span: `10%/60s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    /// How far.
    pub most: Ppm,
    /// In how long.
    pub window: Nanos,
}

impl Value for Drift {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        let text = one(value)?;
        let bad = || format!("`{text}` is not a drift such as 10%/60s");
        let (most, window) = text.split_once('/').ok_or_else(bad)?;
        let window: Nanos = window.parse().map_err(|_| bad())?;
        if window.0 == 0 {
            return Err(format!("`{text}`: the window must be above zero"));
        }
        Ok(Self { most: Ppm::read(most)?, window })
    }
    fn text(&self) -> String {
        format!("{}/{}", self.most, self.window)
    }
    fn within(&self, old: &Self) -> bool {
        self.most <= old.most && self.window >= old.window
    }
}

/// A ratio in thousandths, above zero: `2`, `1.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio(pub i64);

impl Value for Ratio {
    fn parse(value: &LimitValue, _: &Known) -> Result<Self, String> {
        let text = one(value)?;
        let bad = || {
            format!(
                "`{text}` is not a ratio such as 2 or 1.5, with three digits at most after the point"
            )
        };
        let ratio = Decimal::from_str_exact(text).map_err(|_| bad())?;
        let milli = ratio.checked_mul(Decimal::from(1_000)).ok_or_else(bad)?.normalize();
        let milli = i64::try_from(milli).ok().filter(|_| milli.scale() == 0).ok_or_else(bad)?;
        if (1..=1_000_000_000).contains(&milli) { Ok(Self(milli)) } else { Err(bad()) }
    }
    fn text(&self) -> String {
        Decimal::new(self.0, 3).normalize().to_string()
    }
    fn within(&self, old: &Self) -> bool {
        self <= old
    }
    fn half(&self) -> Self {
        Self(self.0 / 2)
    }
}

/// Names of a list, by the number of what they name: only these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    numbers: BTreeSet<u16>,
    names: Vec<String>,
}

impl Listed {
    /// Reads a list; `find` gives the number of a name.
    ///
    /// # Errors
    /// A name that is not there.
    pub fn read(
        value: &LimitValue,
        find: impl Fn(&str) -> Result<u16, String>,
    ) -> Result<Self, String> {
        let names: Vec<String> = match value {
            LimitValue::List(names) => names.clone(),
            LimitValue::Text(text) => {
                text.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
            }
        };
        let numbers = names.iter().map(|name| find(name)).collect::<Result<_, _>>()?;
        Ok(Self { numbers, names })
    }

    /// Whether a number is on it.
    #[inline]
    pub fn holds(&self, number: u16) -> bool {
        self.numbers.contains(&number)
    }

    /// As people write it.
    pub fn text(&self) -> String {
        self.names.join(" ")
    }

    /// Whether all of it is on `old`.
    pub fn within(&self, old: &Self) -> bool {
        self.numbers.is_subset(&old.numbers)
    }
}
