//! What the trust gate finds: one variant a reason, with the words for the reader of the connection.
//!
//! Messages carry counts, places, field names and HR ids only, and end with what the reader does next.

use super::Sentinel;
use crate::employee::{BadRecord, Failure, Field, HrId};

/// Why an attempt brought no answer that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nobody is in the answer.
    Empty,
    /// Ids stand for more than one record.
    DuplicateIds {
        /// How many ids do.
        ids: usize,
        /// The first of them.
        first: HrId,
    },
    /// The source announced another number of records than it gave.
    Incomplete {
        /// What it announced.
        announced: usize,
        /// What it gave.
        given: usize,
    },
    /// Too many records could not be read.
    TooManyBadRecords {
        /// How many could not.
        bad: usize,
        /// Of how many.
        of: usize,
        /// The first of them.
        first: BadRecord,
    },
    /// Too many people carry a status that nobody mapped.
    UnmappedStatuses {
        /// How many people do.
        people: usize,
        /// Of how many.
        of: usize,
    },
    /// Fields that must appear are filled for nobody.
    FieldMissing(Vec<Field>),
    /// People that must be seen in a certain state are not: the credential may not see everybody.
    Sentinels(Vec<(HrId, Sentinel)>),
    /// There was a trusted answer before, and what was remembered of it is gone.
    MemoryLost,
    /// Far fewer people than in the last trusted answer.
    Shrunk {
        /// How many there are.
        now: usize,
        /// How many there were.
        before: usize,
    },
    /// Far fewer people than seven days ago, in steps that are each small enough.
    ShrunkSlowly {
        /// How many there are.
        now: usize,
        /// The most within seven days.
        high_water: usize,
    },
    /// The answer is about other people than the last trusted one.
    OtherPeople {
        /// How many people other people stand in for; an estimate above 1,000 people.
        replaced: usize,
        /// Of how many.
        of: usize,
        /// Whether source or mapping was changed since.
        source_changed: bool,
    },
    /// Ids that now stand with another address and another first day: other people, or another column of ids.
    IdsReassigned {
        /// How many; an estimate above 1,000 people.
        people: usize,
        /// Of how many.
        of: usize,
    },
    /// Addresses that one person had are now another's: the column moved.
    AddressesMoved {
        /// How many; an estimate above 1,000 people.
        people: usize,
        /// Of how many.
        of: usize,
    },
    /// Far more people than in ordinary life have another address.
    OtherAddresses {
        /// How many; an estimate above 1,000 people.
        people: usize,
        /// Of how many.
        of: usize,
    },
    /// Far more people than in ordinary life have another first day.
    OtherStartDates {
        /// How many; an estimate above 1,000 people.
        people: usize,
        /// Of how many.
        of: usize,
    },
    /// People who had left have not left now, or left on another day.
    LeaversChanged {
        /// How many; an estimate above 1,000 people.
        people: usize,
        /// Of how many who had left.
        of: usize,
    },
    /// Nothing is remembered, and many of those who stand in the cluster have left at once.
    ManyLeft {
        /// How many; an estimate above 1,000 people.
        people: usize,
        /// Of how many who had not left.
        of: usize,
    },
    /// The file is older than the last trusted one, by the date in its name or of its signature.
    OlderFile {
        /// What tells it: `name` or `signature`.
        by: &'static str,
        /// Its date.
        now: String,
        /// The date of the last trusted one.
        before: String,
    },
    /// There is no answer at all.
    NoAnswer(Failure),
}

/// The finding of an attempt that brought no answer.
#[must_use]
pub fn failed(failure: &Failure) -> Finding {
    Finding::NoAnswer(failure.clone())
}

impl Finding {
    /// One CamelCase word: the reason of the condition and the outcome of the attempt.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::DuplicateIds { .. } => "DuplicateIds",
            Self::Incomplete { .. } => "Incomplete",
            Self::TooManyBadRecords { .. } => "TooManyBadRecords",
            Self::UnmappedStatuses { .. } => "UnmappedStatuses",
            Self::FieldMissing(_) => "FieldMissing",
            Self::Sentinels(_) => "SentinelMissing",
            Self::MemoryLost => "MemoryLost",
            Self::Shrunk { .. } => "Shrunk",
            Self::ShrunkSlowly { .. } => "ShrunkSlowly",
            Self::OtherPeople { .. } => "OtherPeople",
            Self::IdsReassigned { .. } => "IdsReassigned",
            Self::AddressesMoved { .. } => "AddressesMoved",
            Self::OtherAddresses { .. } => "OtherAddresses",
            Self::OtherStartDates { .. } => "OtherStartDates",
            Self::LeaversChanged { .. } => "LeaversChanged",
            Self::ManyLeft { .. } => "ManyLeft",
            Self::OlderFile { .. } => "OlderFile",
            Self::NoAnswer(failure) => failure_reason(failure),
        }
    }

    /// Whether an admin may accept the answer in spite of it. What nobody can judge by looking at the source (an answer
    /// without anybody, half an answer) cannot be accepted, only corrected.
    #[must_use]
    pub const fn can_be_accepted(&self) -> bool {
        match self {
            Self::Empty | Self::Incomplete { .. } | Self::NoAnswer(_) => false,
            Self::DuplicateIds { .. }
            | Self::TooManyBadRecords { .. }
            | Self::UnmappedStatuses { .. }
            | Self::FieldMissing(_)
            | Self::Sentinels(_)
            | Self::MemoryLost
            | Self::Shrunk { .. }
            | Self::ShrunkSlowly { .. }
            | Self::OtherPeople { .. }
            | Self::IdsReassigned { .. }
            | Self::AddressesMoved { .. }
            | Self::OtherAddresses { .. }
            | Self::OtherStartDates { .. }
            | Self::LeaversChanged { .. }
            | Self::ManyLeft { .. }
            | Self::OlderFile { .. } => true,
        }
    }

    /// What was found and what to look at, in words.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Empty => "The response contains nobody, which ends nobody's access. Check the source.".to_owned(),
            Self::DuplicateIds { ids, first } => {
                format!(
                    "{ids} ids are in more than one record, the first is {first}: more bad records than trust.maxBadRecords allows. Make ids unique in the source."
                )
            }
            Self::Incomplete { announced, given } => {
                format!("The source announced {announced} records and gave {given}. Check its paging or export.")
            }
            Self::TooManyBadRecords { bad, of, first } => format!(
                "{bad} of {of} records could not be read, the first is number {}: {}. Correct them in the source, or the mapping.",
                first.position, first.reason
            ),
            Self::UnmappedStatuses { people, of } => format!(
                "{people} of {of} people have an empty status, or one that is not mapped. Map the words in status.unmappedStatuses."
            ),
            Self::FieldMissing(fields) => {
                let words: Vec<_> = fields.iter().map(|field| field.as_str()).collect();
                format!("Filled for nobody: {}. Check the permissions at the source, and the mapping.", words.join(", "))
            }
            Self::Sentinels(unseen) => {
                let ids: Vec<_> = unseen.iter().map(|(id, sentinel)| format!("{id} as {}", sentinel.as_str())).collect();
                format!(
                    "Not seen: {}. The credential may not see everybody; or choose another in trust.sentinels.",
                    ids.join(", ")
                )
            }
            Self::MemoryLost => {
                "The read history of this connection is lost, so this response could be compared only with the existing Persons. Check the number of people yourself.".to_owned()
            }
            Self::Shrunk { now, before } => {
                format!("{now} people seen, {before} before: fewer than trust.maxShrink allows.")
            }
            Self::ShrunkSlowly { now, high_water } => format!(
                "{now} people seen, {high_water} within the last seven days: fewer than trust.maxShrink allows, in small steps."
            ),
            Self::OtherPeople { replaced, of, source_changed } => {
                let cause = if *source_changed {
                    "The source or its mapping was changed: different ids are different people."
                } else {
                    "This can be a wrong tenant, or changed ids."
                };
                format!(
                    "About {replaced} of {of} known employee ids were replaced by unknown ones, more than trust.minOverlap allows. {cause}"
                )
            }
            Self::IdsReassigned { people, of } => format!(
                "About {people} of {of} known employee ids now have another address and another first day. This can be another tenant, or an id column that moved by a row."
            ),
            Self::AddressesMoved { people, of } => format!(
                "About {people} of {of} addresses now belong to other employee ids. This can be a column that moved by a row."
            ),
            Self::OtherAddresses { people, of } => format!(
                "About {people} of {of} people have another address. This can be a changed mail domain, or another tenant."
            ),
            Self::OtherStartDates { people, of } => format!(
                "About {people} of {of} people have another first day. This can be a column that moved by a row, or a different column of dates."
            ),
            Self::LeaversChanged { people, of } => format!(
                "About {people} of {of} people who had left work here again or left on another day. This can be columns that moved by a row."
            ),
            Self::ManyLeft { people, of } => format!(
                "This connection has no read history, and about {people} of {of} people who are known here as employed have left. Ask HR whether this is right."
            ),
            Self::OlderFile { by, now, before } => format!(
                "The file is of {now} by its {by}, the last trusted one is of {before}, so this one is out of date. Remove it, or deliver a newer one."
            ),
            Self::NoAnswer(failure) => failure_message(failure),
        }
    }
}

const fn failure_reason(failure: &Failure) -> &'static str {
    match failure {
        Failure::Unreachable(_) => "Unreachable",
        Failure::TimedOut => "TimedOut",
        Failure::Unauthorised(_) => "Unauthorised",
        Failure::NotKept(_) => "CredentialNotKept",
        Failure::Forbidden => "Forbidden",
        Failure::Missing(_) => "Missing",
        Failure::Status(_) => "ErrorStatus",
        Failure::Throttled => "Throttled",
        Failure::WrongFormat(_) => "WrongFormat",
        Failure::Truncated(_) => "Truncated",
        Failure::NotOpened(_) => "NotOpened",
        Failure::WrongColumns(_) => "WrongColumns",
        Failure::TooLarge => "TooLarge",
        Failure::AddressRefused(_) => "AddressRefused",
        Failure::Directory(why) => why.as_str(),
    }
}

fn failure_message(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable(seen) => {
            format!("The source could not be reached: {seen}. Check its address and the network in between.")
        }
        Failure::TimedOut => {
            "The source did not respond within spec.timeout. Check the source, or allow more time.".to_owned()
        }
        Failure::Unauthorised(seen) => {
            format!(
                "The source refused the credential: {seen}. Correct the Secret of credentialsRef: the source is read again within a minute of that, or at once with the annotation rollcall.dev/requestedAt."
            )
        }
        Failure::NotKept(seen) => {
            format!("The source replaces the credential with each use, and the new one could not be stored: {seen}.")
        }
        Failure::Forbidden => {
            "The source does not let this credential read people. Extend its permissions there.".to_owned()
        }
        Failure::Missing(what) => format!("Missing: {what}. Create it, or correct spec.source."),
        Failure::Status(code) => {
            format!(
                "The source responded with status {code}. It is read again on schedule; check the source if this persists."
            )
        }
        Failure::Throttled => {
            "The source limits the request rate. It is read again on schedule; poll less often if this persists."
                .to_owned()
        }
        Failure::WrongFormat(seen) => {
            format!("The response has the wrong format: {seen}.")
        }
        Failure::Truncated(seen) => format!("The response is cut off: {seen}. It is read again on schedule."),
        Failure::NotOpened(seen) => {
            format!(
                "The file could not be decrypted: {seen}. Check spec.source.file.decryption, and how the sender encrypts."
            )
        }
        Failure::WrongColumns(missing) => {
            format!(
                "Required columns or fields are missing: {}. Correct the mapping, or the source.",
                missing.join(", ")
            )
        }
        Failure::TooLarge => "The response is too large. Ask the source for fewer fields.".to_owned(),
        Failure::AddressRefused(seen) => format!(
            "The address is refused: {seen}. Correct the URL, or set network.allowPrivateAddresses if it is intended."
        ),
        Failure::Directory(why) => why.words().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::employee::Directory;

    fn failures() -> Vec<Failure> {
        let seen = || "seen".to_owned();
        let of_directories = Directory::ALL.map(Failure::Directory);
        [
            Failure::Unreachable(seen()),
            Failure::TimedOut,
            Failure::Unauthorised(seen()),
            Failure::NotKept(seen()),
            Failure::Forbidden,
            Failure::Missing(seen()),
            Failure::Status(500),
            Failure::Throttled,
            Failure::WrongFormat(seen()),
            Failure::Truncated(seen()),
            Failure::NotOpened(seen()),
            Failure::WrongColumns(vec![seen()]),
            Failure::TooLarge,
            Failure::AddressRefused(seen()),
        ]
        .into_iter()
        .chain(of_directories)
        .collect()
    }

    #[test]
    fn every_failure_has_a_reason_and_a_message_of_its_own() {
        let reasons: std::collections::BTreeSet<_> = failures().iter().map(|f| failed(f).reason()).collect();
        let messages: std::collections::BTreeSet<_> = failures().iter().map(|f| failed(f).message()).collect();
        assert_eq!((reasons.len(), messages.len()), (20, 20));
    }

    #[test]
    fn no_failure_can_be_accepted() {
        assert!(failures().iter().all(|failure| !failed(failure).can_be_accepted()));
    }
}
