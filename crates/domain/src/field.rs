//! The fields of an employee, in the one list there is of them.
//!
//! A row of `fields!` is all that a plain text needs: definitions and files read it, the trust gate counts it, scope and
//! user names see it, preview prints it, and a Person keeps it as the policy says, or else the row. What is not a plain text
//! (a date, a word that is mapped, an address) has its own code as well, because it means something of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;

use super::profile::FieldMode;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Makes `Field`, `Slot` and `Text` of one list.
///
/// A row is a word, and any of:
/// - `field F Decides` or `field F Tells`: an employee has it, and it decides something (who they are, whether and when
///   they leave, in which zone) or only tells. What decides is read each time; what tells may be read once, or never;
/// - `slot S of F`: a source may give it, for the field `F`;
/// - `text T Shared|Personal Continuous|Never`: it is a plain text, that many people have or one has, and that their Person
///   keeps or not where the policy does not say. It is a field and a slot of the same name. Personal ones stand last.
macro_rules! fields {
    ($(
        #[doc = $doc:literal]
        $word:literal: $(field $field:ident $use:ident)? $(slot $slot:ident of $of:ident)?
            $(text $text:ident $whose:ident $mode:ident)?;
    )+) => {
        /// A field of an employee that a source may give.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Field {
            $($(#[doc = $doc] #[serde(rename = $word)] $field,)?)+
        }

        impl Field {
            /// All there are, in their order.
            pub const ALL: &'static [Self] = &[$($(Self::$field,)?)+];

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

            /// What becomes of it where a policy does not say.
            #[must_use]
            pub const fn mode(self) -> FieldMode {
                match self {
                    $($(Self::$text => FieldMode::$mode,)?)+
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
    "department": field Department Tells slot Department of Department text Department Shared Continuous;
    /// Job title.
    "title": field Title Tells slot Title of Title text Title Shared Never;
    /// Location; picks the time zone.
    "location": field Location Decides slot Location of Location text Location Shared Never;
    /// Manager, by address or id.
    "manager": field Manager Tells;
    /// Work address of the manager.
    "managerEmail": slot ManagerEmail of Manager;
    /// HR id of the manager.
    "managerId": slot ManagerId of Manager;
    /// Kind of employment.
    "employmentType": field EmploymentType Tells slot EmploymentType of EmploymentType;
    /// The company that employs them.
    "legalEntity": field LegalEntity Tells slot LegalEntity of LegalEntity text LegalEntity Shared Continuous;
    /// Team.
    "team": field Team Tells slot Team of Team text Team Shared Never;
    /// Cost centre.
    "costCenter": field CostCenter Tells slot CostCenter of CostCenter text CostCenter Shared Never;
    /// Last day they work, where the source has it apart from the termination date.
    "lastWorkingDay": slot LastWorkingDay of TerminationDate;
    /// Planned end of a fixed-term contract.
    "contractEnd": field ContractEnd Decides slot ContractEnd of ContractEnd;
    /// Reason of a termination; only whether it is urgent is kept.
    "terminationReason": field TerminationReason Decides slot TerminationReason of TerminationReason;
    /// Work telephone.
    "phone": field Phone Tells slot Phone of Phone text Phone Personal Never;
    /// First name.
    "firstName": field FirstName Tells slot FirstName of FirstName text FirstName Personal Never;
    /// Last name.
    "lastName": field LastName Tells slot LastName of LastName text LastName Personal Never;
    /// Personal address, in case the work address is gone.
    "personalEmail": field PersonalEmail Tells slot PersonalEmail of PersonalEmail text PersonalEmail Personal Never;
    /// Home address.
    "homeAddress": field HomeAddress Tells slot HomeAddress of HomeAddress text HomeAddress Personal Never;
    /// Employee number, as people know it; it can change.
    "employeeNumber": field EmployeeNumber Tells slot EmployeeNumber of EmployeeNumber text EmployeeNumber Personal Never;
    /// Address of a picture.
    "pictureUrl": field PictureUrl Tells slot PictureUrl of PictureUrl text PictureUrl Personal Never;
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

    /// The one of a word, as in manifests and headers.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|text| text.as_str() == word)
    }
}

/// Name of a field of the customer's own, that a connector or a column names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CustomName(Arc<str>);

impl CustomName {
    /// Longest name.
    pub const MAX: usize = 63;

    /// A name of letters, digits, `-` and `_` that begins with a letter.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = name.len() <= Self::MAX && name.bytes().all(letters);
        (fits && name.starts_with(|first: char| first.is_ascii_alphabetic())).then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The member that holds fields of the customer's own.
const CUSTOM: &str = "custom";
/// Most of them.
pub const MOST_CUSTOM: usize = 16;

/// A text that many people share. The pointer is a thin one: each of them holds one for each of their texts.
pub type SharedText = Arc<Box<str>>;

/// What one person alone has: a text of the list, or of the customer's own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Own {
    Text(Text),
    Custom(CustomName),
}

/// The plain texts of somebody, or something else there is one of for each: the columns of a file. Never printed.
///
/// On the wire it is an object with a member for each text there is, and one, `custom`, for those of the customer's own;
/// members of other names are not read. What one person alone has takes no room where nobody asked for it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    shared: [Option<SharedText>; Text::SHARED],
    /// In order.
    own: Box<[(Own, Box<str>)]>,
}

impl Texts {
    /// The text, where there is one.
    #[must_use]
    pub fn get(&self, text: Text) -> Option<&str> {
        if text.shared() {
            self.shared.get(text as usize)?.as_deref().map(|text| &**text)
        } else {
            self.own.iter().find(|(own, _)| *own == Own::Text(text)).map(|(_, value)| &**value)
        }
    }

    /// A text that others hold as well, where there is one.
    #[must_use]
    pub fn shared(&self, text: Text) -> Option<&SharedText> {
        self.shared.get(text as usize).filter(|_| text.shared())?.as_ref()
    }

    /// The text of a field of the customer's own, where there is one.
    #[must_use]
    pub fn custom(&self, name: &CustomName) -> Option<&str> {
        let named = |own: &Own| matches!(own, Own::Custom(other) if other == name);
        self.own.iter().find(|(own, _)| named(own)).map(|(_, value)| &**value)
    }

    /// Puts a text there, or takes it away.
    pub fn set(&mut self, text: Text, value: Option<Box<str>>) {
        if text.shared() {
            self.share(text, value.map(Arc::new));
        } else {
            self.put(Own::Text(text), value);
        }
    }

    /// Puts a text of the customer's own there, or takes it away.
    pub fn set_custom(&mut self, name: &CustomName, value: Option<Box<str>>) {
        self.put(Own::Custom(name.clone()), value);
    }

    fn put(&mut self, own: Own, value: Option<Box<str>>) {
        if value.is_none() && self.own.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.own).into_vec();
        let at = all.partition_point(|(known, _)| *known < own);
        if all.get(at).is_some_and(|(known, _)| *known == own) {
            all.remove(at);
        }
        if let Some(value) = value {
            all.insert(at, (own, value));
        }
        self.own = all.into_boxed_slice();
    }

    /// Puts a text there that others hold as well.
    pub fn share(&mut self, text: Text, value: Option<SharedText>) {
        if !text.shared() {
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

    /// Every text of the list there is, in its order.
    pub fn iter(&self) -> impl Iterator<Item = (Text, &str)> {
        Text::ALL.iter().filter_map(|text| Some((*text, self.get(*text)?)))
    }

    /// Every text of the customer's own, by its name.
    pub fn customs(&self) -> impl Iterator<Item = (&CustomName, &str)> {
        self.own.iter().filter_map(|(own, value)| match own {
            Own::Text(_) => None,
            Own::Custom(name) => Some((name, &**value)),
        })
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let custom = self.customs().map(|(name, _)| name as &dyn fmt::Debug);
        f.debug_set().entries(self.iter().map(|(text, _)| text)).entries(custom).finish()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let custom: BTreeMap<&str, &str> = self.customs().map(|(name, value)| (name.as_str(), value)).collect();
        let mut members = serializer.serialize_map(None)?;
        for (text, value) in self.iter() {
            members.serialize_entry(text.as_str(), value)?;
        }
        if !custom.is_empty() {
            members.serialize_entry(CUSTOM, &custom)?;
        }
        members.end()
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
                        None if word == CUSTOM => {
                            let custom = members.next_value::<Option<BTreeMap<String, Box<str>>>>()?;
                            for (name, value) in custom.unwrap_or_default() {
                                if let Some(name) = CustomName::new(&name) {
                                    texts.set_custom(&name, Some(value));
                                }
                            }
                        }
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

/// The schema of an object with a member for each text, and one for those of the customer's own.
#[must_use]
pub fn schema(shortest: Option<u32>, longest: u32) -> schemars::Schema {
    let mut text = schemars::json_schema!({"type": ["string", "null"], "maxLength": longest});
    if let Some(shortest) = shortest {
        text.insert("minLength".to_owned(), shortest.into());
    }
    let member = |of: Text| {
        let mut member = text.clone();
        member.insert("description".to_owned(), of.doc().trim().into());
        (of.as_str(), member)
    };
    let mut members: BTreeMap<_, _> = Text::ALL.iter().copied().map(member).collect();
    let custom = schemars::json_schema!({
        "description": "Fields of your own, by their names: letters, digits, `-` and `_`.",
        "type": ["object", "null"],
        "maxProperties": MOST_CUSTOM,
        "additionalProperties": {"type": "string", "minLength": shortest.unwrap_or(0), "maxLength": longest},
        "x-kubernetes-validations": [{
            "rule": format!("self.all(name, size(name) <= {})", CustomName::MAX),
            "message": format!("names of fields have at most {} characters", CustomName::MAX),
        }],
    });
    members.insert(CUSTOM, custom);
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
    fn a_field_of_the_customers_own_has_a_name_of_letters_and_stands_apart_from_the_list() {
        let written =
            serde_json::json!({"phone": "1", "custom": {"badge": "B7", "phone": "2", "bad name": "3", "7": "4"}});
        let texts: Texts = serde_json::from_value(written).unwrap();
        let name = |name| CustomName::new(name).unwrap();
        assert_eq!((texts.get(Text::Phone), texts.custom(&name("phone"))), (Some("1"), Some("2")));
        let kept = serde_json::json!({"phone": "1", "custom": {"badge": "B7", "phone": "2"}});
        assert_eq!(serde_json::to_value(&texts).unwrap(), kept);
        let mut fewer = texts.clone();
        fewer.set_custom(&name("badge"), None);
        assert_eq!((fewer.custom(&name("badge")), fewer.customs().count()), (None, 1));
        assert!(CustomName::new(&"x".repeat(64)).is_none());
    }

    #[test]
    fn who_has_no_personal_text_takes_no_room_for_any() {
        let shared = Texts::default().with(Text::Department, "Sales");
        assert!(shared.own.is_empty());
        assert_eq!(size_of::<Texts>(), (Text::SHARED + 2) * size_of::<usize>());
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
