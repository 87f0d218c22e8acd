//! Words of a customer's own in addition to those of a connector: status words, and words for a kind of employment.

use std::collections::BTreeMap;

use super::{Definition, StatusRule};
use crate::row::Slot;
use domain::employee::EmploymentType;
use domain::employee::Status;
use domain::quote::quoted;

impl Definition {
    /// With a customer's own words for a status and for a kind of employment. One that has a meaning here gets another by
    /// that, which is said in `otherwise`: it could be the word of a leaver.
    ///
    /// # Errors
    /// In words for the author of the connection, when the source gives no such word.
    pub fn with_words(
        mut self,
        statuses: &BTreeMap<String, Status>,
        types: &BTreeMap<String, EmploymentType>,
    ) -> Result<Self, String> {
        let offered = self.offered();
        for (given, slot, field) in
            [(statuses.len(), Slot::Status, "statuses"), (types.len(), Slot::EmploymentType, "types")]
        {
            if given > 0 && !offered.contains(&slot) {
                let name = &self.name;
                return Err(format!(
                    "{field}: the connector {name} gives no {}, so there is no word to map",
                    slot.name()
                ));
            }
        }
        let same = |a: &str, b: &str| a.trim().to_lowercase() == b.trim().to_lowercase();
        for (word, means) in statuses {
            let known = self.statuses.keys().find(|known| same(known, word)).cloned();
            let before = known.and_then(|known| self.statuses.remove(&known));
            if let Some(before) = before.filter(|before| before.means != *means) {
                let (now, then) = (means.as_str(), before.means.as_str());
                self.otherwise.push(format!("the status {} means {now} here; the connector says {then}", quoted(word)));
            }
            let when_starts_later = before.and_then(|before| before.when_starts_later);
            self.statuses.insert(word.clone(), StatusRule { means: *means, when_starts_later });
        }
        for (word, means) in types {
            let known = self.types.keys().find(|known| same(known, word)).cloned();
            let before = known.and_then(|known| self.types.remove(&known));
            if let Some(before) = before.filter(|before| before != means) {
                let (now, then) = (means.as_str(), before.as_str());
                self.otherwise.push(format!("the type {} means {now} here; the connector says {then}", quoted(word)));
            }
            self.types.insert(word.clone(), *means);
        }
        Ok(self)
    }
}
