//! Values as people write them: serde glue for everything with `Display` and `FromStr`.
//!
//! Money, quantities, times and spans are text at every border. `#[serde(with = "types::text")]`
//! writes them as strings; it also reads plain numbers where every digit survives.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serializer};
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

/// A value read from text or from a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<T>(pub T);

impl<'de, T> Deserialize<'de> for Text<T>
where
    T: FromStr,
    T::Err: Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData)).map(Self)
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T> Visitor<'_> for TextVisitor<T>
where
    T: FromStr,
    T::Err: Display,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a number")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|error| E::custom(format_args!("{error}")))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&exact_digits(number).map_err(E::custom)?)
    }
}

/// The digits that were written for `number`. A binary float gives back up to 15 of them; more are
/// refused, as the text that was meant is lost.
///
/// # Errors
/// What to write instead.
pub fn exact_digits(number: f64) -> Result<String, &'static str> {
    let text = number.to_string();
    let digits = text.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit);
    if number.is_finite() && digits.count() <= 15 {
        Ok(text)
    } else {
        Err("a number with more than 15 digits must be written as text, in quotes")
    }
}

/// A text or plain number, or a list of them, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor)
    }
}

struct OneOrManyVisitor;

impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or a list of them")
    }
    fn visit_str<E>(self, text: &str) -> Result<OneOrMany, E> {
        Ok(OneOrMany::One(text.to_owned()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<OneOrMany, E> {
        Ok(OneOrMany::One(number.to_string()))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<OneOrMany, E> {
        exact_digits(number).map(OneOrMany::One).map_err(E::custom)
    }
    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
        let mut list = Vec::new();
        while let Some(Text(item)) = seq.next_element::<Text<String>>()? {
            list.push(item);
        }
        Ok(OneOrMany::Many(list))
    }
}

/// Writes the value as text.
///
/// # Errors
/// Those of the format.
pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Reads the value from text or a number.
///
/// # Errors
/// What `FromStr` says, or that too many digits stand in a number.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr,
    T::Err: Display,
    D: Deserializer<'de>,
{
    Text::deserialize(deserializer).map(|text| text.0)
}

/// The same for a value that may be absent; add `#[serde(default)]` to let the key be left out.
pub mod option {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer, Text};

    /// Writes text or null.
    ///
    /// # Errors
    /// Those of the format.
    pub fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    /// Reads text, a number or null.
    ///
    /// # Errors
    /// Those of [`super::deserialize`].
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'de>,
    {
        Ok(Option::<Text<T>>::deserialize(deserializer)?.map(|text| text.0))
    }
}

#[cfg(test)]
mod tests {
    use crate::types::{Price, Timestamp};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        #[serde(with = "crate::types::text")]
        price: Price,
        #[serde(default, with = "crate::types::text::option")]
        at: Option<Timestamp>,
    }

    #[test]
    fn text_and_exact_numbers_are_read_and_text_is_written() {
        let row = |json: &str| serde_json::from_str::<Row>(json);
        let read = row(r#"{"price":"1.50","at":"2013-10-08T13:30:00Z"}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            r#"{"price":"1.5","at":"2013-10-08T13:30:00.000000000Z"}"#
        );
        assert_eq!(row(r#"{"price":1.5}"#).unwrap().price, read.price);
        assert_eq!(row(r#"{"price":0.00001}"#).unwrap().price.to_string(), "0.00001");
        assert_eq!(row(r#"{"price":3,"at":null}"#).unwrap().price, Price::from_raw(3_000_000_000));
        assert!(row(r#"{"price":0.12345678901234567}"#).is_err());
        assert!(row(r#"{"price":"0.0000000001"}"#).is_err());
        assert!(row(r#"{"price":true}"#).is_err());
    }
}
