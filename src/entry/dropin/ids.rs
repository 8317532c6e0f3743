//! Ids of this wire and those of the gateway, one made of the other without a table.

use crate::alpaca::Uuid;
use crate::types::ClientOrderId;

const VERSION: u128 = 8 << 76 | 2 << 62;
/// The ten bits that are left over tell what an id is of.
const ORDER: u128 = 0;
const FILL: u128 = 1;

/// The id of an order.
pub(super) fn of_order(id: ClientOrderId) -> Uuid {
    let epoch = u128::from(id.epoch);
    Uuid(
        u128::from(id.instance) << 96
            | (epoch >> 16) << 80
            | ((epoch >> 4) & 0xfff) << 64
            | (epoch & 0xf) << 58
            | u128::from(id.agent.0) << 42
            | u128::from(id.seq) << 10
            | VERSION
            | ORDER,
    )
}

/// The order that an id is of; `None` for one that this gateway did not make.
pub(super) fn order(uuid: Uuid) -> Option<ClientOrderId> {
    let bits = uuid.0;
    let epoch = ((bits >> 80) & 0xffff) << 16 | ((bits >> 64) & 0xfff) << 4 | (bits >> 58) & 0xf;
    let id = ClientOrderId {
        instance: (bits >> 96) as u32,
        epoch: epoch as u32,
        agent: crate::types::AgentId((bits >> 42) as u16),
        seq: (bits >> 10) as u32,
    };
    (of_order(id) == uuid).then_some(id)
}

/// The id of a fill, by its place in the books of a gateway.
pub(super) fn of_fill(instance: u32, place: usize) -> Uuid {
    let place = place as u128 & 0xffff_ffff_ffff;
    Uuid(u128::from(instance) << 96 | place << 10 | VERSION | FILL)
}

/// The place of a fill in the books.
pub(super) fn fill(instance: u32, uuid: Uuid) -> Option<usize> {
    let place = ((uuid.0 >> 10) & 0xffff_ffff_ffff) as usize;
    (of_fill(instance, place) == uuid).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::AgentId;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_names_one_order(instance: u32, epoch: u32, agent: u16, seq: u32, other: u128) {
            let id = ClientOrderId { instance, epoch, agent: AgentId(agent), seq };
            let uuid = of_order(id);
            prop_assert_eq!(order(uuid), Some(id));
            prop_assert_eq!(fill(instance, uuid), None);
            // As text it is a UUID like any other.
            prop_assert_eq!(uuid.to_string().parse::<Uuid>().unwrap(), uuid);
            if let Some(id) = order(Uuid(other)) {
                prop_assert_eq!(of_order(id), Uuid(other));
            }
        }

        #[test]
        fn an_id_names_one_fill(instance: u32, place in 0usize..1 << 47) {
            prop_assert_eq!(fill(instance, of_fill(instance, place)), Some(place));
            prop_assert_eq!(order(of_fill(instance, place)), None);
        }
    }
}
