//! What the core has decided and what decides its next step, as bytes: for snapshots, and hashed for
//! the state digest.

use super::Core;
use crate::actors::market::Market;
use crate::actors::oms::Oms;
use crate::actors::saved::{BadState, Saved, put, take};
use crate::journal::Derived;
use sha2::{Digest, Sha256};

/// Encoded bytes kept before they are hashed.
const ENCODED: usize = 1 << 12;
/// No decision is longer: a bracket of three orders takes a third of this.
const LONGEST: usize = 1 << 10;

/// Where decisions are kept before they are hashed.
pub(super) fn room() -> Vec<u8> {
    Vec::with_capacity(ENCODED + LONGEST)
}

impl Core {
    /// Takes decisions of this core into its digest. The desk does so once they are sent: encoding
    /// and hashing take longer than deciding.
    pub fn chain(&mut self, decisions: &[Derived]) {
        let mut buffer = [0; LONGEST];
        for derived in decisions {
            self.encoded.extend_from_slice(encode(derived, &mut buffer));
            if self.encoded.len() > ENCODED {
                let link = Sha256::new().chain_update(self.chain).chain_update(&self.encoded);
                self.chain = link.finalize().into();
                self.encoded.clear();
            }
        }
    }

    /// Appends every decision so far, as a digest, and the state that decides the next one.
    pub(in crate::actors) fn save(&self, market: &Market, into: &mut Vec<u8>) {
        put(&(&self.chain, &self.encoded, self.tally, &self.denied, &self.oms), into);
        market.save(into);
        self.risk.save(into);
        self.guardian.save(into);
        self.enforcement.save(into);
    }

    /// Takes what [`Self::save`] made of a core with the same configuration.
    pub(in crate::actors) fn load(
        &mut self,
        market: &mut Market,
        from: &mut &[u8],
    ) -> Result<(), BadState> {
        let (oms, encoded): (Oms, Vec<u8>);
        (self.chain, encoded, self.tally, self.denied, oms) = take(from)?;
        if !oms.is_whole(&self.oms) {
            return Err(BadState("an order manager of this configuration"));
        }
        self.encoded.clear();
        self.encoded.extend_from_slice(&encoded);
        self.oms.carry_over(oms);
        market.load(from)?;
        self.risk.load(from)?;
        self.guardian.load(from)?;
        self.enforcement.carry_over(take(from)?);
        Ok(())
    }

    /// SHA-256 of what [`Self::save`] appends.
    pub fn digest(&self, market: &Market) -> [u8; 32] {
        let mut state = Vec::new();
        self.save(market, &mut state);
        Sha256::digest(&state).into()
    }
}

fn encode<'a>(derived: &Derived, buffer: &'a mut [u8; LONGEST]) -> &'a [u8] {
    postcard::to_slice(derived, buffer).map_or(&[], |bytes| bytes)
}
