//! How large the ledger is, and for how much more there is room. A ConfigMap takes 1,048,576 bytes; one policy with many
//! leavers must not be the reason that nothing of any other is counted.

use super::entry::{Entry, INSTANTS};
use super::{Account, Ledger};

/// Most bytes of the ledger as JSON.
pub const LARGEST: usize = 1_000_000;
/// What one share takes: fifteen bytes in base64.
const SHARE: usize = 20;
/// What one instant of release takes, next to its shares.
const INSTANT: usize = 40;
/// What one entry takes, next to the names of run and batch.
const ENTRY: usize = 280;
/// What the sums of one hour or day take.
const HOUR: usize = 130;
/// What a policy takes, next to its name.
const POLICY: usize = 64;

impl Ledger {
    /// Room for so many bytes more of this policy: what is left of its part, and of the whole. The parts are equal, and no
    /// policy has more than half, so that there is room for the next one.
    pub(super) fn room(&self, policy: &str) -> usize {
        let part = LARGEST / self.policies.len().max(2);
        let own = self.policies.get_key_value(policy).map_or(0, bytes);
        part.saturating_sub(own).min(LARGEST.saturating_sub(self.bytes()))
    }

    /// No fewer bytes than the ledger has as JSON, whatever of it is approved or over.
    #[must_use]
    pub fn bytes(&self) -> usize {
        POLICY + self.policies.iter().map(bytes).sum::<usize>()
    }
}

fn bytes((name, account): (&String, &Account)) -> usize {
    let entries = account.open.iter().map(Entry::bytes).sum::<usize>();
    POLICY + name.len() + account.over.len() * HOUR + entries
}

impl Entry {
    /// No fewer bytes than it has, as it is or as it will be once all of it was approved; and enough for the sums that will
    /// stand in its place.
    pub(super) fn bytes(&self) -> usize {
        let shares = self.waiting.len() + self.released.values().map(super::Shares::len).sum::<usize>();
        let names = self.run.len() + self.batch.as_ref().map_or(0, String::len);
        let instants = shares.min(INSTANTS);
        ENTRY + names + shares * SHARE + instants * INSTANT + instants.saturating_sub(1) * HOUR
    }
}
