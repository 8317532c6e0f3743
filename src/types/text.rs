//! Values as people write them: serde glue for everything with `Display` and `FromStr`.
//!
//! Money, quantities, times, spans and order names are text at every border. They see to it
//! themselves, with [`text_for_people`]; other values do with [`Text`].

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
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

/// How values of the domain are written: as text in formats that people read, as their bare parts in
/// those of the journal. Reading from text also takes a plain number whose digits all survive.
macro_rules! text_for_people {
    ($($name:ident as $parts:ty, $take:expr, $make:expr;)+) => {$(
        impl serde::Serialize for $name {
            #[inline]
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match serializer.is_human_readable() {
                    true => serializer.collect_str(self),
                    false => $take(self).serialize(serializer),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            #[inline]
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match deserializer.is_human_readable() {
                    true => $crate::types::text::Text::deserialize(deserializer).map(|text| text.0),
                    false => <$parts>::deserialize(deserializer).map($make),
                }
            }
        }
    )+};
}
pub(in crate::types) use text_for_people;

#[cfg(test)]
mod tests {
    use crate::types::{Price, Timestamp};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        price: Price,
        #[serde(default)]
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
