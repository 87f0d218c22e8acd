//! The fields of an employee, in the one list there is of them.
//!
//! A row of `fields!` is all that a plain text needs: definitions and files read it, the trust gate counts it, scope and
//! user names see it, preview prints it, and a Person shows it where the row says so. What is not a plain text (a date, a
//! word that is mapped, an address) has its own code as well, because it means something of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Makes `Field`, `Slot` and `Text` of one list.
///
/// A row is a word, and any of:
/// - `field F Decides` or `field F Tells`: an employee has it, and it decides something (who they are, whether and when
///   they leave, in which zone) or only tells. What decides is read each time; what tells may be read once, or never;
/// - `slot S of F`: a source may give it, for the field `F`;
/// - `text T Shared|Personal Kept|Passing`: it is a plain text, that many people have or one has, and that their Person
///   shows or not. It is a field and a slot of the same name. Personal ones stand last.
macro_rules! fields {
    ($(
        #[doc = $doc:literal]
        $word:literal: $(field $field:ident $use:ident)? $(slot $slot:ident of $of:ident)?
            $(text $text:ident $whose:ident $kept:ident)?;
    )+) => {
        /// A field of an employee that a source may give.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Field {
            $($(#[doc = $doc] #[serde(rename = $word)] $field,)?)+
        }

        impl Field {
            /// The word of it, as it stands in manifests and messages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$field => $word,)?)+
                }
            }

            /// Whether something is decided by it, so that it has to be read each time.
            #[must_use]
            pub const fn decides(self) -> bool {
                match self {
                    $($(Self::$field => matches!(Use::$use, Use::Decides),)?)+
                }
            }
        }

        /// A place for one value of a record. The words are those of a definition's `fields` and of a file's own headers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        pub enum Slot {
            $($(#[doc = $doc] #[serde(rename = $word)] $slot,)?)+
        }

        impl Slot {
            /// All there are, in their order.
            pub const ALL: &'static [Self] = &[$($(Self::$slot,)?)+];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The word of it in definitions and headers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$slot => $word,)?)+
                }
            }

            /// The field of an employee it serves.
            #[must_use]
            pub const fn field(self) -> Field {
                match self {
                    $($(Self::$slot => Field::$of,)?)+
                }
            }
        }

        /// A field that is a plain text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Text {
            $($(#[doc = $doc] $text,)?)+
        }

        impl Text {
            /// All there are, in their order.
            pub const ALL: &'static [Self] = &[$($(Self::$text,)?)+];

            /// Whether many people have the same, so that it is held once for all of them, and no secret of one.
            #[must_use]
            pub const fn shared(self) -> bool {
                match self {
                    $($(Self::$text => matches!(Whose::$whose, Whose::Shared),)?)+
                }
            }

            /// Whether a Person shows it.
            #[must_use]
            pub const fn kept(self) -> bool {
                match self {
                    $($(Self::$text => matches!(Kept::$kept, Kept::Kept),)?)+
                }
            }

            /// The field it is.
            #[must_use]
            pub const fn field(self) -> Field {
                match self {
                    $($(Self::$text => Field::$text,)?)+
                }
            }

            /// Where a source gives it.
            #[must_use]
            pub const fn slot(self) -> Slot {
                match self {
                    $($(Self::$text => Slot::$text,)?)+
                }
            }

            /// What it is, in a sentence for schemas.
            #[must_use]
            pub const fn doc(self) -> &'static str {
                match self {
                    $($(Self::$text => $doc,)?)+
                }
            }
        }
    };
}

/// What a field is for.
enum Use {
    Decides,
    Tells,
}

/// Who has the same text.
enum Whose {
    Shared,
    Personal,
}

/// What becomes of a text once scope and user names have been told by it.
enum Kept {
    Kept,
    Passing,
}

fields! {
    /// The HR system's own id.
    "employeeId": field EmployeeId Decides slot EmployeeId of EmployeeId;
    /// Full name.
    "fullName": field FullName Decides slot FullName of FullName;
    /// Work address.
    "email": field Email Decides slot Email of Email;
    /// Status.
    "status": field Status Decides slot Status of Status;
    /// First day of work.
    "hireDate": field HireDate Decides slot HireDate of HireDate;
    /// Last day of work.
    "terminationDate": field TerminationDate Decides slot TerminationDate of TerminationDate;
    /// Department.
    "department": field Department Tells slot Department of Department text Department Shared Kept;
    /// Job title.
    "title": field Title Tells slot Title of Title text Title Shared Kept;
    /// Location; picks the time zone and is kept nowhere.
    "location": field Location Decides slot Location of Location text Location Shared Passing;
    /// Manager, by address or id.
    "manager": field Manager Tells;
    /// Work address of the manager.
    "managerEmail": slot ManagerEmail of Manager;
    /// HR id of the manager.
    "managerId": slot ManagerId of Manager;
    /// Kind of employment.
    "employmentType": field EmploymentType Tells slot EmploymentType of EmploymentType;
    /// The company that employs them.
    "legalEntity": field LegalEntity Tells slot LegalEntity of LegalEntity text LegalEntity Shared Passing;
    /// Team.
    "team": field Team Tells slot Team of Team text Team Shared Passing;
    /// Cost centre.
    "costCenter": field CostCenter Tells slot CostCenter of CostCenter text CostCenter Shared Kept;
    /// Last day they work, where the source has it apart from the termination date.
    "lastWorkingDay": slot LastWorkingDay of TerminationDate;
    /// Planned end of a fixed-term contract.
    "contractEnd": field ContractEnd Tells slot ContractEnd of ContractEnd;
    /// Reason of a termination; only whether it is urgent is kept.
    "terminationReason": field TerminationReason Decides slot TerminationReason of TerminationReason;
    /// Work telephone.
    "phone": field Phone Tells slot Phone of Phone text Phone Personal Passing;
    /// Employee number, as people know it; not the id that the HR system calls a record by.
    "employeeNumber": field EmployeeNumber Tells slot EmployeeNumber of EmployeeNumber text EmployeeNumber Personal Passing;
}

impl Text {
    /// The word of it, as in manifests and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.field().as_str()
    }

    /// Those that many people have: what scope and user names may ask for.
    pub fn all_shared() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|text| text.shared())
    }

    /// Those that a Person shows.
    pub fn all_kept() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|text| text.kept())
    }

    /// How many of them are shared. These stand first in the list.
    const SHARED: usize = {
        let (mut rest, mut shared) = (Self::ALL, 0);
        while let [text, behind @ ..] = rest {
            assert!(
                !text.shared() || shared + rest.len() == Self::ALL.len(),
                "a shared text stands behind a personal one"
            );
            shared += text.shared() as usize;
            rest = behind;
        }
        shared
    };

    /// Its place among the personal ones; none, where it is shared, and its place is that in the list.
    const fn personal(self) -> Option<usize> {
        (self as usize).checked_sub(Self::SHARED)
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|text| text.as_str() == word)
    }
}

/// A text that many people share. The pointer is a thin one: each of them holds one for each of their texts.
pub type SharedText = Arc<Box<str>>;

/// The plain texts of somebody, or something else there is one of for each: the columns of a file. Never printed.
///
/// On the wire it is an object with a member for each text there is; members of other names are not read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    shared: [Option<SharedText>; Text::SHARED],
    personal: [Option<Box<str>>; Text::ALL.len() - Text::SHARED],
}

impl Texts {
    /// The text, where there is one.
    #[must_use]
    pub fn get(&self, text: Text) -> Option<&str> {
        match text.personal() {
            Some(at) => self.personal.get(at)?.as_deref(),
            None => self.shared.get(text as usize)?.as_deref().map(|text| &**text),
        }
    }

    /// Puts a text there, or takes it away.
    pub fn set(&mut self, text: Text, value: Option<Box<str>>) {
        let Some(at) = text.personal() else { return self.share(text, value.map(Arc::new)) };
        if let Some(place) = self.personal.get_mut(at) {
            *place = value;
        }
    }

    /// Puts a text there that others hold as well.
    pub fn share(&mut self, text: Text, value: Option<SharedText>) {
        if text.personal().is_some() {
            self.set(text, value.map(|value| Box::clone(&value)));
        } else if let Some(place) = self.shared.get_mut(text as usize) {
            *place = value;
        }
    }

    /// These, and one more.
    #[must_use]
    pub fn with(mut self, text: Text, value: &str) -> Self {
        self.set(text, Some(value.into()));
        self
    }

    /// Every text there is, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = (Text, &str)> {
        Text::ALL.iter().filter_map(|text| Some((*text, self.get(*text)?)))
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(text, _)| text)).finish()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(text, value)| (text.as_str(), value)))
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Texts, A::Error> {
                let mut texts = Texts::default();
                while let Some(word) = members.next_key::<String>()? {
                    match Text::of_word(&word) {
                        Some(text) => texts.set(text, members.next_value::<Option<Box<str>>>()?),
                        None => {
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(texts)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The schema of an object with a member for each of some texts.
#[must_use]
pub fn schema(texts: impl Iterator<Item = Text>, shortest: Option<u32>, longest: u32) -> schemars::Schema {
    let member = |text: Text| {
        let mut member = schemars::json_schema!({
            "description": text.doc().trim(), "type": ["string", "null"], "maxLength": longest
        });
        if let Some(shortest) = shortest {
            member.insert("minLength".to_owned(), shortest.into());
        }
        (text.as_str(), member)
    };
    let members: BTreeMap<_, _> = texts.map(member).collect();
    schemars::json_schema!({"type": "object", "properties": members})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_an_object_and_members_of_other_names_are_left_alone() {
        let written = serde_json::json!({"department": "Sales", "phone": null, "phaseOfTheMoon": {"full": true}});
        let texts: Texts = serde_json::from_value(written).unwrap();
        assert!(texts == Texts::default().with(Text::Department, "Sales"));
        assert_eq!(serde_json::to_value(&texts).unwrap(), serde_json::json!({"department": "Sales"}));
        assert_eq!(format!("{texts:?}"), "{Department}", "what it says is never printed");
    }

    #[test]
    fn every_text_has_a_place_of_its_own_however_it_is_put_there() {
        let (mut set, mut shared) = (Texts::default(), Texts::default());
        for text in Text::ALL.iter().copied() {
            set.set(text, Some(text.as_str().into()));
            shared.share(text, Some(Arc::new(text.as_str().into())));
        }
        assert!(set == shared);
        assert!(set.iter().eq(Text::ALL.iter().map(|text| (*text, text.as_str()))));
        Text::ALL.iter().for_each(|text| set.set(*text, None));
        assert!(set == Texts::default());
    }

    #[test]
    fn what_one_person_alone_has_is_in_no_list_that_scope_or_a_user_name_asks_for() {
        assert!(Text::all_shared().all(|text| text != Text::Phone));
        assert!(Text::all_shared().any(|text| text == Text::Department));
    }

    #[test]
    fn who_somebody_is_and_when_they_leave_is_read_each_time() {
        let deciding = [Field::EmployeeId, Field::Email, Field::Status, Field::HireDate, Field::TerminationDate];
        assert!(deciding.iter().all(|field| field.decides()));
        assert!(Text::ALL.iter().filter(|text| **text != Text::Location).all(|text| !text.field().decides()));
    }
}
