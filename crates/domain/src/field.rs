//! The fields of an employee, in the one list there is of them.
//!
//! A row of `fields!` is all that a plain text needs: definitions and files read it, the trust gate counts it, scope and
//! user names see it, preview prints it, and a Person keeps it as the policy says, or else the row. What is not a plain text
//! (a date, a word that is mapped, an address) has its own code as well, because it means something of its own.

mod texts;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::texts::{CustomName, MOST_CUSTOM, SharedText, Texts, schema};
use super::profile::FieldMode;

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
    /// Day of the newest sign-in to the account, by UTC.
    "lastSignIn": field LastSignIn Tells slot LastSignIn of LastSignIn;
    /// Whether a second factor of the account is enrolled.
    "mfaEnrolled": field MfaEnrolled Tells slot MfaEnrolled of MfaEnrolled;
    /// Whether another identity provider signs them in to the account (single sign-on).
    "sso": field Sso Tells slot Sso of Sso;
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

#[cfg(test)]
mod tests {
    use super::*;

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
