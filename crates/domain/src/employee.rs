//! One employee as a source states them, and an answer of a source, or why there is none.
//!
//! Knows nothing of Kubernetes or of any vendor. Personal values print their id only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account::{Fact, Said, Unread};
use super::capabilities::Declared;
pub use super::field::{Field, Text, Texts};

/// The HR system's own id of a person, or a digest of their address where the source has none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HrId(pub String);

impl fmt::Display for HrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text of a record or of a policy, such as a location, as it is compared: without surrounding blanks, and without case.
#[must_use]
pub fn comparable(text: &str) -> String {
    text.trim().to_lowercase()
}

/// What a mapped status word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Status {
    /// Works here.
    Active,
    /// On leave.
    Leave,
    /// Suspended or inactive.
    Suspended,
    /// Has left, or will on the last day given.
    Terminated,
}

impl Status {
    /// The word under which it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Leave => "Leave",
            Self::Suspended => "Suspended",
            Self::Terminated => "Terminated",
        }
    }
}

/// What a source says of a person's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportedStatus {
    /// A word that was mapped.
    Mapped(Status),
    /// An empty cell, or a word nobody mapped. The word itself is never kept with the person: it can be health data.
    Unmapped,
    /// The source has no status at all and speaks by its dates.
    Silent,
}

impl ReportedStatus {
    /// The word under which it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mapped(status) => status.as_str(),
            Self::Unmapped => "Unmapped",
            Self::Silent => "Silent",
        }
    }

    /// Reads the stored word; a word of a later version is `Unmapped`, which holds.
    #[must_use]
    pub fn from_stored(word: &str) -> Self {
        match word {
            "Active" => Self::Mapped(Status::Active),
            "Leave" => Self::Mapped(Status::Leave),
            "Suspended" => Self::Mapped(Status::Suspended),
            "Terminated" => Self::Mapped(Status::Terminated),
            "Silent" => Self::Silent,
            _ => Self::Unmapped,
        }
    }
}

/// What kind of employment it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EmploymentType {
    /// Employed, for good or for a time, full time or part time.
    Employee,
    /// Works here under a contract of services: contractor, freelancer, consultant.
    Contractor,
    /// Intern, or working student.
    Intern,
    /// Apprentice, or trainee.
    Apprentice,
    /// Temporary worker: seasonal, casual, from an agency.
    Temporary,
}

impl EmploymentType {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Employee, Self::Contractor, Self::Intern, Self::Apprentice, Self::Temporary];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Employee => "Employee",
            Self::Contractor => "Contractor",
            Self::Intern => "Intern",
            Self::Apprentice => "Apprentice",
            Self::Temporary => "Temporary",
        }
    }
}

/// One record of a source, in one meaning for all sources.
///
/// Texts that many people share are held once.
#[derive(Clone, PartialEq, Eq)]
pub struct Employee {
    /// The key of the record.
    pub id: HrId,
    /// Full name; empty where the source gives none.
    pub name: String,
    /// Work address as written, without surrounding blanks; empty where the source gives none. An id is enough to say that
    /// somebody left: the mailbox is often gone first. Every address that was known before stays an alias of the Person.
    pub work_email: String,
    /// What the source says of the status.
    pub reported_status: ReportedStatus,
    /// First day of work.
    pub start: Option<Date>,
    /// Last day of work: the person still works that day.
    pub last_day: Option<Date>,
    /// The planned end of a fixed-term contract. Nothing ends by it.
    pub contract_end: Option<Date>,
    /// Whether the reason given for the termination means "at once"; the reason itself is never kept.
    pub urgent: bool,
    /// Kind of employment, where the source says it in a word that was mapped.
    pub employment_type: Option<EmploymentType>,
    /// How the source names the manager.
    pub manager: Option<Manager>,
    /// The plain texts of the list in `field.rs`.
    pub texts: Texts,
    /// What the source knows of their account; none of most people, and held apart.
    pub account: Option<Box<Said>>,
}

impl Employee {
    /// A record that says no more than who it is about and what the status is.
    #[must_use]
    pub fn new(id: HrId, name: String, work_email: String, reported_status: ReportedStatus) -> Self {
        Self {
            id,
            name,
            work_email,
            reported_status,
            start: None,
            last_day: None,
            contract_end: None,
            urgent: false,
            employment_type: None,
            manager: None,
            texts: Texts::default(),
            account: None,
        }
    }

    /// A plain text of theirs.
    #[must_use]
    pub fn text(&self, text: Text) -> Option<&str> {
        self.texts.get(text)
    }

    /// The same record with one more text.
    #[must_use]
    pub fn with(self, text: Text, value: &str) -> Self {
        Self { texts: self.texts.with(text, value), ..self }
    }
}

impl fmt::Debug for Employee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Employee({})", self.id)
    }
}

/// How a source names a manager.
#[derive(Clone, PartialEq, Eq)]
pub enum Manager {
    /// By work address.
    Email(String),
    /// By HR id.
    Id(HrId),
}

/// A whole answer of a source, mapped, before anybody believes it.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Who is in it, in the order of the source. Ids may repeat here: the trust gate finds that.
    pub employees: Vec<Employee>,
    /// Records that could not be mapped, each with its place and reason, without any value of the record.
    pub bad: Vec<BadRecord>,
    /// Status words nobody mapped, with the number of people that carried each. Bounded by the reader.
    pub unmapped: BTreeMap<String, u32>,
    /// Words for a kind of employment nobody mapped, with the number of people that carried each. Bounded likewise.
    pub unmapped_types: BTreeMap<String, u32>,
    /// Fields the source offers at all.
    pub offered: BTreeSet<Field>,
    /// Facts of accounts that the source could give, and that were not read.
    pub unread: BTreeMap<Fact, Unread>,
    /// What the source is said to be able to say.
    pub declared: Declared,
    /// How many records the source itself said there are, where it says so.
    pub announced_total: Option<usize>,
    /// Names only those with something new: nobody is missing from it.
    pub part: bool,
    /// Which delivery it is, where the source delivers files.
    pub delivered: Delivered,
    /// What was noticed of the answer as a whole, in words; no reason to doubt it.
    pub remarks: Vec<String>,
}

/// What tells an older file of a source from a newer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The date in its name.
    pub dated: Option<DateTime>,
    /// When it was signed.
    pub signed: Option<Timestamp>,
    /// When it was written, by the clock of the server it lies on.
    pub at: Option<Timestamp>,
}

/// A record that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// Its place in the answer, counted from 1: a line of a file, a record of a list.
    pub position: usize,
    /// Why, without any value of it: `hireDate is not a date of the form %Y-%m-%d`.
    pub reason: String,
}

/// Why there is no answer of a source at all. Says what was seen, never a value of it, a credential or a full URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The source could not be reached: DNS, connection, TLS.
    Unreachable(String),
    /// The time for the whole poll ran out.
    TimedOut,
    /// The source refused the credential (401), or the Secret lacks what is needed.
    Unauthorised(String),
    /// A credential that the source replaces with each use could not be kept, or not be used because it could not be.
    NotKept(String),
    /// The source refused the request (403): the credential may not see this.
    Forbidden,
    /// The file, ConfigMap, key or page is not there.
    Missing(String),
    /// The source answered with another error status.
    Status(u16),
    /// The source asked to come back later, and the poll's time did not allow for it.
    Throttled,
    /// The answer is not what was asked for: HTML instead of CSV, no JSON, another encoding.
    WrongFormat(String),
    /// The answer ends in the middle.
    Truncated(String),
    /// The file is sealed and cannot be opened, or is not sealed as the connection asks for.
    NotOpened(String),
    /// Required columns or fields are not there.
    WrongColumns(Vec<String>),
    /// The answer is larger than the cap.
    TooLarge,
    /// The address is private, loopback, link-local or of the cluster, and the connection does not allow that; or a
    /// redirect or next link leads to another host.
    AddressRefused(String),
    /// A directory gave a part of what it has, or nothing.
    Directory(Directory),
}

/// Why the answer of a directory is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directory {
    /// It gives no more entries than so many.
    SizeLimit,
    /// It looks no longer than so long.
    TimeLimit,
    /// It does no more for this account.
    AdminLimit,
    /// A part of what was asked for lies on another server.
    Elsewhere,
    /// It would be asked without a name, and such a reader sees less.
    Anonymous,
    /// It is busy, or ends.
    Unavailable,
}

impl Directory {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::SizeLimit, Self::TimeLimit, Self::AdminLimit, Self::Elsewhere, Self::Anonymous, Self::Unavailable];

    /// Its word: the reason of a condition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SizeLimit => "SizeLimitReached",
            Self::TimeLimit => "TimeLimitReached",
            Self::AdminLimit => "AdminLimitReached",
            Self::Elsewhere => "Referral",
            Self::Anonymous => "AnonymousSignIn",
            Self::Unavailable => "Unavailable",
        }
    }

    /// What was seen, and what to do.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::SizeLimit => {
                "The directory stopped at its size limit, so people are missing. Raise the limit for the account of bindDN, for paged searches too (olcLimits in OpenLDAP)."
            }
            Self::TimeLimit => {
                "The directory stopped at its time limit, so people are missing. Raise it for the account of bindDN, index what source.ldap.filter looks at, or narrow source.ldap.base."
            }
            Self::AdminLimit => {
                "The directory stopped at an administrative limit, so people are missing. Raise it for the account of bindDN, or index what source.ldap.filter looks at."
            }
            Self::Elsewhere => {
                "A part of what was asked for is on another server, which is not asked, so people are missing. Narrow source.ldap.base to what this server has, and make a connection for each other server."
            }
            Self::Anonymous => {
                "The directory would be read without a sign-in, which shows fewer people or attributes. Write bindDN and a password, or a certificate that the directory knows."
            }
            Self::Unavailable => {
                "The directory is busy or shutting down. It is read again on schedule; check the server if this persists."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_word_is_read_back_and_a_word_of_a_later_version_holds() {
        let all = [Status::Active, Status::Leave, Status::Suspended, Status::Terminated].map(ReportedStatus::Mapped);
        for reported_status in all.into_iter().chain([ReportedStatus::Silent, ReportedStatus::Unmapped]) {
            assert_eq!(ReportedStatus::from_stored(reported_status.as_str()), reported_status);
        }
        assert_eq!(ReportedStatus::from_stored("Sabbatical"), ReportedStatus::Unmapped);
    }
}
