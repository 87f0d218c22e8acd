//! What the trust gate finds: one variant a reason, with the words for whoever reads the connection.
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
            Self::Empty => "Nobody is in the answer, which ends nobody's access. Look at the source.".to_owned(),
            Self::DuplicateIds { ids, first } => {
                format!(
                    "{ids} ids are in more than one record, the first is {first}: more bad records than trust.maxBadRecords allows. Make ids unique in the source."
                )
            }
            Self::Incomplete { announced, given } => {
                format!("The source announced {announced} records and gave {given}. Look at its paging or export.")
            }
            Self::TooManyBadRecords { bad, of, first } => format!(
                "{bad} of {of} records could not be read, the first is number {}: {}. Correct them in the source, or the mapping.",
                first.position, first.reason
            ),
            Self::UnmappedStatuses { people, of } => format!(
                "{people} of {of} people carry an empty status or one that is not mapped. Map the words in status.unmappedStatuses."
            ),
            Self::FieldMissing(fields) => {
                let words: Vec<_> = fields.iter().map(|field| field.as_str()).collect();
                format!("Filled for nobody: {}. Look at the source's permissions and the mapping.", words.join(", "))
            }
            Self::Sentinels(unseen) => {
                let ids: Vec<_> = unseen.iter().map(|(id, sentinel)| format!("{id} as {}", sentinel.as_str())).collect();
                format!(
                    "Not seen: {}. The credential may not see everybody; or choose another in trust.sentinels.",
                    ids.join(", ")
                )
            }
            Self::MemoryLost => {
                "The memory of earlier answers is gone, so this one could be compared with the Persons alone. Compare the number of people yourself.".to_owned()
            }
            Self::Shrunk { now, before } => {
                format!("{now} people seen, {before} before: fewer than trust.maxShrink allows.")
            }
            Self::ShrunkSlowly { now, high_water } => format!(
                "{now} people seen, {high_water} within the last seven days: fewer than trust.maxShrink allows, in small steps."
            ),
            Self::OtherPeople { replaced, of, source_changed } => {
                let cause = if *source_changed {
                    "The source or its mapping was changed: other ids are other people."
                } else {
                    "A wrong tenant or a changed id looks like this."
                };
                format!(
                    "About {replaced} of {of} known employee ids were replaced by unknown ones, more than trust.minOverlap allows. {cause}"
                )
            }
            Self::IdsReassigned { people, of } => format!(
                "About {people} of {of} known employee ids now have another address and another first day. Another tenant, or an id column that moved by a row, looks like this."
            ),
            Self::AddressesMoved { people, of } => format!(
                "About {people} of {of} addresses now belong to other employee ids. A column that moved by a row looks like this."
            ),
            Self::OtherAddresses { people, of } => format!(
                "About {people} of {of} people have another address. A changed mail domain looks like this, and so does another tenant."
            ),
            Self::OtherStartDates { people, of } => format!(
                "About {people} of {of} people have another first day. A column that moved by a row, or another column of dates, looks like this."
            ),
            Self::LeaversChanged { people, of } => format!(
                "About {people} of {of} people who had left work here again or left on another day. Columns that moved by a row look like this."
            ),
            Self::ManyLeft { people, of } => format!(
                "Nothing is remembered of this connection, and about {people} of {of} people who are known here as employed have left. Ask HR whether that is so."
            ),
            Self::OlderFile { by, now, before } => format!(
                "The file is of {now} by its {by}, the last trusted one of {before}: what it says was overtaken. Remove it, or deliver a newer one."
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
    }
}

fn failure_message(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable(seen) => {
            format!("The source could not be reached: {seen}. Look at its address and the way there.")
        }
        Failure::TimedOut => {
            "The source did not answer within spec.timeout. Look at the source, or allow more time.".to_owned()
        }
        Failure::Unauthorised(seen) => {
            format!(
                "The source refused the credential: {seen}. Correct the Secret of credentialsRef: the source is read again within a minute of that, or at once with the annotation rollcall.dev/requestedAt."
            )
        }
        Failure::NotKept(seen) => {
            format!("The source replaces the credential with each use, and it cannot be kept: {seen}.")
        }
        Failure::Forbidden => {
            "The source forbids this credential to read people (403). Widen its permissions there.".to_owned()
        }
        Failure::Missing(what) => format!("Not there: {what}. Put it there, or correct spec.source."),
        Failure::Status(code) => {
            format!("The source answered with status {code}. Asked again on schedule; look at the source if it stays.")
        }
        Failure::Throttled => {
            "The source asked to come back later. Asked again on schedule; poll less often if it stays.".to_owned()
        }
        Failure::WrongFormat(seen) => {
            format!("The answer is not what was asked for: {seen}. Look at the address, often it is a sign-in page.")
        }
        Failure::Truncated(seen) => format!("The answer ends in the middle: {seen}. Asked again on schedule."),
        Failure::NotOpened(seen) => {
            format!(
                "The file was not opened: {seen}. Look at spec.source.file.decryption, and at what the sender does."
            )
        }
        Failure::WrongColumns(missing) => {
            format!(
                "Required columns or fields are not there: {}. Correct the mapping, or the source.",
                missing.join(", ")
            )
        }
        Failure::TooLarge => "The answer is larger than is read. Ask the source for fewer fields.".to_owned(),
        Failure::AddressRefused(seen) => format!(
            "The address is refused: {seen}. Correct the URL, or set network.allowPrivateAddresses if it is meant."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures() -> [Failure; 14] {
        let seen = || "seen".to_owned();
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
    }

    #[test]
    fn every_failure_has_a_reason_and_a_message_of_its_own() {
        let reasons: std::collections::BTreeSet<_> = failures().iter().map(|f| failed(f).reason()).collect();
        let messages: std::collections::BTreeSet<_> = failures().iter().map(|f| failed(f).message()).collect();
        assert_eq!((reasons.len(), messages.len()), (14, 14));
    }

    #[test]
    fn no_failure_can_be_accepted() {
        assert!(failures().iter().all(|failure| !failed(failure).can_be_accepted()));
    }
}
