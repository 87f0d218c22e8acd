//! What of a source is needed, and for what. The rest is not requested, and not kept in memory either.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::field::{CustomName, Field, Slot, Text};
use super::profile::{FieldMode, Modes, ProfileField};

/// Something a source may give.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Wanted {
    /// A field of the list.
    Field(Field),
    /// A field of the customer's own.
    Custom(CustomName),
}

impl From<&ProfileField> for Wanted {
    fn from(field: &ProfileField) -> Self {
        match field {
            ProfileField::DisplayName => Self::Field(Field::FullName),
            ProfileField::EmploymentType => Self::Field(Field::EmploymentType),
            ProfileField::Manager => Self::Field(Field::Manager),
            ProfileField::Text(text) => Self::Field(text.field()),
            ProfileField::Account(fact) => Self::Field(fact.field()),
            ProfileField::Custom(name) => Self::Custom(name.clone()),
        }
    }
}

/// For what something is needed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// It says who somebody is, or whether and when they leave, or where their day ends.
    Decides,
    /// A policy keeps it.
    Kept {
        /// Its name.
        policy: String,
        /// Whether it follows HR.
        continuous: bool,
    },
    /// A policy decides or names by it, and keeps it not for that.
    Asked {
        /// Its name.
        policy: String,
        /// The field of its spec.
        by: String,
    },
    /// The connection believes no response without it.
    AlwaysPresent,
    /// A scope may ask for it before the source is read again.
    AtHand,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decides => f.write_str("always: who it is, whether and when they leave"),
            Self::Kept { policy, continuous: true } => write!(f, "SyncPolicy {policy}: spec.fields, Continuous"),
            Self::Kept { policy, continuous: false } => write!(f, "SyncPolicy {policy}: spec.fields, Once"),
            Self::Asked { policy, by } => write!(f, "SyncPolicy {policy}: {by}"),
            Self::AlwaysPresent => f.write_str("the connection's spec.trust.alwaysPresent"),
            Self::AtHand => f.write_str("so that a changed scope can be decided by the last response"),
        }
    }
}

/// What of a source is needed, each with why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Needs(BTreeMap<Wanted, BTreeSet<Why>>);

impl Default for Needs {
    /// What decides, for whatever policy.
    fn default() -> Self {
        let mut needs = Self(BTreeMap::new());
        let deciding = Field::ALL.iter().copied().filter(|field| field.decides());
        deciding.for_each(|field| needs.add(Wanted::Field(field), Why::Decides));
        needs
    }
}

impl Needs {
    /// Adds something.
    pub fn add(&mut self, wanted: Wanted, why: Why) {
        self.0.entry(wanted).or_default().insert(why);
    }

    /// Adds what a policy keeps.
    pub fn keep(&mut self, policy: &str, modes: &Modes) {
        for (field, mode) in modes.kept() {
            let continuous = *mode == FieldMode::Continuous;
            self.add(field.into(), Why::Kept { policy: policy.to_owned(), continuous });
        }
    }

    /// Adds what an expression over `person` names.
    pub fn ask<'a>(&mut self, policy: &str, by: &str, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            let text = Text::of_word(name).map(Text::field);
            let field = text.or((name == "employmentType").then_some(Field::EmploymentType));
            let why = Why::Asked { policy: policy.to_owned(), by: by.to_owned() };
            field.into_iter().for_each(|field| self.add(Wanted::Field(field), why.clone()));
        }
    }

    /// Whether a value of this kind is needed.
    #[must_use]
    pub fn slot(&self, slot: Slot) -> bool {
        self.0.contains_key(&Wanted::Field(slot.field()))
    }

    /// Whether a field of the customer's own is needed.
    #[must_use]
    pub fn custom(&self, name: &CustomName) -> bool {
        self.0.contains_key(&Wanted::Custom(name.clone()))
    }

    /// Why something is needed; nothing where it is not.
    pub fn why(&self, wanted: &Wanted) -> impl Iterator<Item = &Why> {
        self.0.get(wanted).into_iter().flatten()
    }

    /// Whether what was read for these needs is enough for others.
    #[must_use]
    pub fn cover(&self, others: &Self) -> bool {
        others.0.keys().all(|wanted| self.0.contains_key(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_is_needed_always_and_the_rest_for_what_asks_for_it() {
        let mut needs = Needs::default();
        assert!(needs.slot(Slot::LastWorkingDay) && needs.slot(Slot::ContractEnd) && needs.slot(Slot::Location));
        assert!(!needs.slot(Slot::Phone) && !needs.slot(Slot::Department) && !needs.slot(Slot::ManagerId));
        needs.ask("everyone", "spec.scope.expression", ["department", "state", "id"]);
        assert!(needs.slot(Slot::Department) && !needs.slot(Slot::Team));
        needs.keep("everyone", &Modes::default());
        assert!(needs.slot(Slot::ManagerEmail) && !needs.slot(Slot::Phone));
        let why: Vec<_> = needs.why(&Wanted::Field(Field::Department)).map(ToString::to_string).collect();
        assert_eq!(why, ["SyncPolicy everyone: spec.fields, Continuous", "SyncPolicy everyone: spec.scope.expression"]);
    }

    #[test]
    fn what_was_read_for_less_is_not_enough_for_more() {
        let (less, mut more) = (Needs::default(), Needs::default());
        more.ask("everyone", "spec.scope.include.teams", ["team"]);
        assert!(more.cover(&less) && !less.cover(&more) && less.cover(&less));
    }
}
