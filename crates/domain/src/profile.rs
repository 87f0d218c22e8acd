//! What is kept of a person for showing, and for how long: each field as its policy says.
//!
//! `Once` is taken over from HR the first time there is something, and is a human's to edit from then on; `Continuous` follows
//! HR; `Never` is kept nowhere. What decides whose access ends, and when, is no field of this list: nobody can switch it off.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account::Fact;
use super::employee::{Employee, EmploymentType};
use super::field::{CustomName, Field, Text, Texts};

/// Longest text and address that the schema takes.
const MAX_TEXT_LEN: usize = 256;
const MAX_ADDRESS_LEN: usize = 320;

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FieldMode {
    /// Imported the first time that HR gives a value, into `spec.profile` of the Person. Stays as humans edit it.
    Once,
    /// Follows HR, in `status.profile` of the Person.
    Continuous,
    /// Not kept, and not requested from HR unless something else needs it.
    Never,
}

impl FieldMode {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Once => "Once",
            Self::Continuous => "Continuous",
            Self::Never => "Never",
        }
    }
}

/// What begins the name of a field of the customer's own.
const CUSTOM: &str = "custom.";

/// A field of a profile.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ProfileField {
    /// Full name.
    DisplayName,
    /// Kind of employment.
    EmploymentType,
    /// Manager.
    Manager,
    /// A plain text.
    Text(Text),
    /// A fact of their accounts. It stands with the record that says it, and in no profile.
    Account(Fact),
    /// A field of the customer's own.
    Custom(CustomName),
}

/// What a policy may name and only as `Continuous`: state, dates, ids, and the address, by which humans are told apart.
pub const DECIDING: [&str; 5] = ["employeeId", "workEmail", "state", "startDate", "endDate"];

impl ProfileField {
    /// All there are, in order; not those of the customer's own.
    pub fn all() -> impl Iterator<Item = Self> {
        let texts = Text::ALL.iter().copied().map(Self::Text);
        let facts = Fact::ALL.into_iter().map(Self::Account);
        [Self::DisplayName, Self::EmploymentType, Self::Manager].into_iter().chain(texts).chain(facts)
    }

    /// The one of a name in a policy.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.strip_prefix(CUSTOM) {
            Some(name) => CustomName::new(name).map(Self::Custom),
            None => Self::all().find(|field| field.to_string() == name),
        }
    }

    /// What it is of a source; none for a field of the customer's own.
    #[must_use]
    pub const fn field(&self) -> Option<Field> {
        match self {
            Self::DisplayName => Some(Field::FullName),
            Self::EmploymentType => Some(Field::EmploymentType),
            Self::Manager => Some(Field::Manager),
            Self::Text(text) => Some(text.field()),
            Self::Account(fact) => Some(fact.field()),
            Self::Custom(_) => None,
        }
    }

    /// What becomes of it where a policy does not say.
    const fn mode(&self) -> FieldMode {
        match self {
            Self::DisplayName | Self::Manager => FieldMode::Continuous,
            Self::EmploymentType | Self::Account(_) | Self::Custom(_) => FieldMode::Never,
            Self::Text(text) => text.mode(),
        }
    }
}

impl fmt::Display for ProfileField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DisplayName => f.write_str("displayName"),
            Self::EmploymentType => f.write_str("employmentType"),
            Self::Manager => f.write_str("manager"),
            Self::Text(text) => f.write_str(text.as_str()),
            Self::Account(fact) => f.write_str(fact.as_str()),
            Self::Custom(name) => write!(f, "{CUSTOM}{}", name.as_str()),
        }
    }
}

/// Why the fields of a policy cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// State, a date, an id or the address.
    #[error(
        "fields.{0}: state, dates, ids and the work address decide whose access ends and when: they are always Continuous"
    )]
    Decides(String),
    /// A fact of an account, which no human can know better.
    #[error("fields.{0}: is what the source says now, and nothing to edit: write Continuous or Never")]
    Account(String),
    /// Nobody knows it.
    #[error("fields.{}: is no field; these are: {}, and custom.<name>", super::quote::quoted(.0), known())]
    Unknown(String),
}

fn known() -> String {
    let names: Vec<_> = ProfileField::all().map(|field| field.to_string()).collect();
    names.join(", ")
}

/// What becomes of each field, as a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes {
    named: BTreeMap<ProfileField, FieldMode>,
    /// The same for every field, so that nobody has to ask for each person again.
    kept: Vec<(ProfileField, FieldMode)>,
    never: Vec<ProfileField>,
}

impl Default for Modes {
    fn default() -> Self {
        Self { named: BTreeMap::new(), kept: Vec::new(), never: Vec::new() }.listed()
    }
}

impl Modes {
    /// Reads the fields of a policy.
    ///
    /// # Errors
    /// The first name that is no field, or one that decides.
    pub fn new<'a>(fields: impl IntoIterator<Item = (&'a String, &'a FieldMode)>) -> Result<Self, Refused> {
        let mut named = Vec::new();
        for (name, mode) in fields {
            match ProfileField::named(name) {
                Some(ProfileField::Account(_)) if *mode == FieldMode::Once => {
                    return Err(Refused::Account(name.clone()));
                }
                Some(field) => named.push((field, *mode)),
                None if !DECIDING.contains(&name.as_str()) => return Err(Refused::Unknown(name.clone())),
                None if *mode != FieldMode::Continuous => return Err(Refused::Decides(name.clone())),
                None => {}
            }
        }
        Ok(Self::default().with(named))
    }

    /// These modes, and others for some fields.
    #[must_use]
    pub fn with(mut self, fields: impl IntoIterator<Item = (ProfileField, FieldMode)>) -> Self {
        self.named.extend(fields);
        self.named.retain(|field, mode| field.mode() != *mode);
        self.listed()
    }

    fn listed(mut self) -> Self {
        let custom = self.named.keys().filter(|field| matches!(field, ProfileField::Custom(_))).cloned();
        let all = ProfileField::all().chain(custom).map(|field| (self.of(&field), field));
        let (kept, never): (Vec<_>, Vec<_>) = all.partition(|(mode, _)| *mode != FieldMode::Never);
        self.kept = kept.into_iter().map(|(mode, field)| (field, mode)).collect();
        self.never = never.into_iter().map(|(_, field)| field).collect();
        self
    }

    /// What becomes of a field.
    #[must_use]
    pub fn of(&self, field: &ProfileField) -> FieldMode {
        self.named.get(field).copied().unwrap_or_else(|| field.mode())
    }

    /// Every field that is kept, with how.
    #[must_use]
    pub fn kept(&self) -> &[(ProfileField, FieldMode)] {
        &self.kept
    }

    /// The same modes as one text: what differs from the usual.
    #[must_use]
    pub fn written(&self) -> String {
        let all: Vec<_> = self.named.iter().map(|(field, mode)| format!("{field}={}", mode.as_str())).collect();
        all.join(",")
    }

    /// Reads them again. What a later version wrote, and this one does not know, is not kept.
    #[must_use]
    pub fn from_written(written: &str) -> Self {
        let mode = |word| match word {
            "Once" => Some(FieldMode::Once),
            "Continuous" => Some(FieldMode::Continuous),
            "Never" => Some(FieldMode::Never),
            _ => None,
        };
        let pairs = written.split(',').filter_map(|pair| pair.split_once('='));
        Self::default().with(pairs.filter_map(|(name, word)| Some((ProfileField::named(name)?, mode(word)?))))
    }

    /// All that an employee says of themselves and that is kept, whichever way. `located` says whether the policy knows
    /// their location: one that it does not know is left blank.
    #[must_use]
    pub fn profile(&self, employee: &Employee, manager: Option<&str>, located: bool) -> Profile {
        let address = Some(&employee.work_email);
        let fits = |text: &str| text.len() <= MAX_ADDRESS_LEN || text.chars().count() <= MAX_ADDRESS_LEN;
        let address = address.filter(|address| !address.is_empty() && fits(address));
        let mut profile = Profile { work_email: address.cloned(), ..Profile::default() };
        for (field, _) in &self.kept {
            match field {
                ProfileField::DisplayName => profile.display_name = short(&employee.name),
                ProfileField::EmploymentType => profile.employment_type = employee.employment_type,
                ProfileField::Manager => profile.manager = manager.map(str::to_owned),
                ProfileField::Text(Text::Location) if !located => {}
                ProfileField::Text(text) => match employee.texts.shared(*text) {
                    Some(shared) if (1..=MAX_TEXT_LEN).contains(&shared.len()) => {
                        profile.texts.share(*text, Some(shared.clone()));
                    }
                    _ => profile.texts.set(*text, employee.text(*text).and_then(short).map(Box::from)),
                },
                ProfileField::Account(_) => {}
                ProfileField::Custom(name) => {
                    profile.texts.set_custom(name, employee.texts.custom(name).and_then(short).map(Box::from));
                }
            }
        }
        profile
    }

    /// What follows HR of all that is kept, and what was imported before, with what is imported now.
    ///
    /// A field that is no longer imported once goes, which was announced; one that a human entered by hand stays. Nothing was announced of
    /// somebody who was `handed_over` by another policy: what was imported for them is a human's own from now on, but for what
    /// HR says too.
    #[must_use]
    pub fn keep(&self, mut all: Profile, before: Option<&Imported>, handed_over: bool) -> (Profile, Imported) {
        let mut once = before.cloned().unwrap_or_default();
        let gone: Vec<_> = once.fields.iter().filter(|field| self.of(field) != FieldMode::Once).cloned().collect();
        for field in gone {
            if !handed_over || once.profile.get(&field) == all.get(&field) {
                once.profile.forget(&field);
            }
            once.fields.remove(&field);
        }
        for (field, _) in self.kept.iter().filter(|(_, mode)| *mode == FieldMode::Once) {
            if all.get(field).is_some() && !once.fields.contains(field) {
                if once.profile.get(field).is_none() {
                    once.profile.take(field, &all);
                }
                if once.profile.get(field) == all.get(field) {
                    once.fields.insert(field.clone());
                }
            }
            all.forget(field);
        }
        self.never.iter().for_each(|field| all.forget(field));
        let unnamed = |(name, _): (&CustomName, &str)| {
            let field = ProfileField::Custom(name.clone());
            (self.of(&field) == FieldMode::Never).then_some(field)
        };
        let unnamed: Vec<_> = all.texts.customs().filter_map(unnamed).collect();
        unnamed.iter().for_each(|field| all.forget(field));
        (all, once)
    }

    /// What of the profiles that are kept does not outlive these modes: values that followed HR and are not kept any
    /// more, and values that were imported, which humans may have edited, and now are not or follow HR. What only moves is
    /// no loss.
    #[must_use]
    pub fn losses<'a>(&self, kept: impl IntoIterator<Item = (&'a Profile, Option<&'a Imported>)>) -> Vec<Loss> {
        let mut counts: BTreeMap<(ProfileField, bool), u32> = BTreeMap::new();
        for (follows, once) in kept {
            let removed = follows.fields().filter(|field| self.of(field) == FieldMode::Never);
            let imported = once.into_iter().flat_map(|once| once.fields.iter().map(move |field| (once, field)));
            let imported = imported.filter(|(_, field)| self.of(field) != FieldMode::Once);
            let imported = imported.filter(|(once, field)| once.profile.get(field).is_some()).map(|(_, field)| field);
            for key in removed.map(|field| (field, false)).chain(imported.map(|field| (field.clone(), true))) {
                *counts.entry(key).or_default() += 1;
            }
        }
        let loss = |((field, imported), people)| {
            let from = if imported { FieldMode::Once } else { FieldMode::Continuous };
            Loss { to: self.of(&field), field, from, people }
        };
        counts.into_iter().map(loss).collect()
    }

    /// These modes without what is lost by them: what holds until a change of them was announced long enough.
    #[must_use]
    pub fn without(&self, losses: &[Loss]) -> Self {
        self.clone().with(losses.iter().map(|loss| (loss.field.clone(), loss.from)))
    }
}

fn short(text: &str) -> Option<String> {
    let cut = |text: &str| {
        if text.len() <= MAX_TEXT_LEN { text.to_owned() } else { text.chars().take(MAX_TEXT_LEN).collect() }
    };
    (!text.is_empty()).then(|| cut(text))
}

/// What is kept of a person for showing. Never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Full name.
    pub display_name: Option<String>,
    /// Work address.
    pub work_email: Option<String>,
    /// Kind of employment.
    pub employment_type: Option<EmploymentType>,
    /// Name of the manager's Person.
    pub manager: Option<String>,
    /// Plain texts.
    pub texts: Texts,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields()).finish()
    }
}

impl Profile {
    /// Every field it has a value of. The work address is none: it always stays.
    pub fn fields(&self) -> impl Iterator<Item = ProfileField> {
        let own = self.texts.customs().map(|(name, _)| ProfileField::Custom(name.clone()));
        ProfileField::all().filter(|field| self.get(field).is_some()).chain(own)
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &ProfileField) -> Option<&str> {
        match field {
            ProfileField::DisplayName => self.display_name.as_deref(),
            ProfileField::EmploymentType => self.employment_type.map(EmploymentType::as_str),
            ProfileField::Manager => self.manager.as_deref(),
            ProfileField::Text(text) => self.texts.get(*text),
            ProfileField::Account(_) => None,
            ProfileField::Custom(name) => self.texts.custom(name),
        }
    }

    /// Takes a field over from another profile; where that has none, this has none either.
    pub fn take(&mut self, field: &ProfileField, from: &Self) {
        match field {
            ProfileField::DisplayName => self.display_name.clone_from(&from.display_name),
            ProfileField::EmploymentType => self.employment_type = from.employment_type,
            ProfileField::Manager => self.manager.clone_from(&from.manager),
            ProfileField::Text(text) if text.shared() => self.texts.share(*text, from.texts.shared(*text).cloned()),
            ProfileField::Text(text) => self.texts.set(*text, from.texts.get(*text).map(Box::from)),
            ProfileField::Account(_) => {}
            ProfileField::Custom(name) => self.texts.set_custom(name, from.texts.custom(name).map(Box::from)),
        }
    }

    /// Takes over what it has no value of.
    pub fn fill(&mut self, from: &Self) {
        if self.work_email.is_none() {
            self.work_email.clone_from(&from.work_email);
        }
        for field in from.fields() {
            if self.get(&field).is_none() {
                self.take(&field, from);
            }
        }
    }

    /// Forgets a field.
    pub fn forget(&mut self, field: &ProfileField) {
        match field {
            ProfileField::DisplayName => self.display_name = None,
            ProfileField::EmploymentType => self.employment_type = None,
            ProfileField::Manager => self.manager = None,
            ProfileField::Text(text) => self.texts.set(*text, None),
            ProfileField::Account(_) => {}
            ProfileField::Custom(name) => self.texts.set_custom(name, None),
        }
    }
}

/// What was imported once, and what humans made of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The fields that were imported. None of them is imported again, also where a human took it away.
    pub fields: BTreeSet<ProfileField>,
    /// The values, as humans left them; with those of fields that a human entered by hand.
    pub profile: Profile,
}

/// What a change of the modes does to what is kept of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The field.
    pub field: ProfileField,
    /// What it was.
    pub from: FieldMode,
    /// What becomes of it.
    pub to: FieldMode,
    /// Of how many people a value is removed, or overwritten with HR's.
    pub people: u32,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, from, to, people } = self;
        let what = match to {
            FieldMode::Continuous => "overwritten with HR's",
            FieldMode::Once | FieldMode::Never => "removed",
        };
        write!(f, "{field}: {} to {}, values of {people} people are {what}", from.as_str(), to.as_str())
    }
}

#[cfg(test)]
mod tests;
