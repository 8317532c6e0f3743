//! The hash of an order id, and maps by order id in files. They are only looked up, never walked but
//! to be sorted.

use std::hash::Hasher;

/// Mixes a few numbers: ids are made by us, so that nobody can choose them to collide.
#[derive(Debug, Default, Clone, Copy)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }
    fn write_u16(&mut self, value: u16) {
        self.write_u32(u32::from(value));
    }
    fn write_u32(&mut self, value: u32) {
        self.0 = (self.0.rotate_left(23) ^ u64::from(value)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// A map by order id as a sorted list, so that equal maps are equal bytes.
pub mod sorted {
    use super::super::OrderIndex;
    use super::IdHasher;
    use crate::types::ClientOrderId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::HashMap;
    use std::hash::BuildHasherDefault;

    type Map = HashMap<ClientOrderId, OrderIndex, BuildHasherDefault<IdHasher>>;

    /// Writes the map.
    pub fn serialize<S: Serializer>(map: &Map, to: S) -> Result<S::Ok, S::Error> {
        let mut list: Vec<(&ClientOrderId, &OrderIndex)> = map.iter().collect();
        list.sort_unstable();
        list.serialize(to)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Map, D::Error> {
        Ok(Vec::<(ClientOrderId, OrderIndex)>::deserialize(from)?.into_iter().collect())
    }
}
