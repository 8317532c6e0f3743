//! State that outlives the process: what an actor would have to be told to go on where another one of
//! its configuration stopped. Digests hash the same bytes, so what is left out of one is missing in
//! the other.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes are not the state of this actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a state of {0}")]
pub struct BadState(pub &'static str);

/// State that can be saved and loaded. Whatever serde reads and writes has it.
pub trait Saved {
    /// Appends the state.
    fn save(&self, into: &mut Vec<u8>);

    /// Takes the state from the front of `from`.
    ///
    /// # Errors
    /// The bytes are those of something else.
    fn load(&mut self, from: &mut &[u8]) -> Result<(), BadState>;
}

impl<T: Serialize + DeserializeOwned> Saved for T {
    fn save(&self, into: &mut Vec<u8>) {
        put(self, into);
    }

    fn load(&mut self, from: &mut &[u8]) -> Result<(), BadState> {
        *self = take(from)?;
        Ok(())
    }
}

/// Appends a value. Nothing that is saved can fail to be encoded: there are no maps of unknown length.
pub fn put<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) {
    let mut bytes = std::mem::take(into);
    bytes = postcard::to_extend(value, bytes).unwrap_or_default();
    *into = bytes;
}

/// Takes a value from the front of `from`.
///
/// # Errors
/// The bytes are those of something else.
pub fn take<T: DeserializeOwned>(from: &mut &[u8]) -> Result<T, BadState> {
    let (value, rest) =
        postcard::take_from_bytes(from).map_err(|_| BadState(std::any::type_name::<T>()))?;
    *from = rest;
    Ok(value)
}
