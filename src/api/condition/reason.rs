//! The closed vocabulary: every type of condition, and every reason of a condition or an Event.
//!
//! Each has its spelling written out, because manifests, alerts and `kubectl wait` name it: a variant can be renamed in
//! the code, and nothing that is stored or asked for changes. What each means stands in `super::table`.

use std::fmt;

use crate::api::revocation::Phase;
use domain::employee::{Directory, Failure};
use domain::gate::Stop;
use domain::spelled;
use domain::trust::Finding;

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the table says when each appears, and what the reader does next")]
        pub enum $name {
            $($variant),+
        }

        spelled!($name { $($variant => $word),+ });

        impl $name {
            /// The one that is spelled like this, if there is one: an object may carry a word of another version.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

vocabulary!(
    /// Type of a condition.
    ConditionType {
        Ready => "Ready",
        Reconciling => "Reconciling",
        Stalled => "Stalled",
        Reachable => "Reachable",
        Trusted => "Trusted",
        Recognised => "Recognised",
        StableIds => "StableIds",
        TellsLeavers => "TellsLeavers",
        WebhooksTaken => "WebhooksTaken",
        Baseline => "Baseline",
        LocationsMatched => "LocationsMatched",
        UserNamesMatched => "UserNamesMatched",
        HumansMatched => "HumansMatched",
        ScopesSeparate => "ScopesSeparate",
        AccountsAgree => "AccountsAgree",
        FieldsSettled => "FieldsSettled",
        MovesSettled => "MovesSettled",
        GrantsSettled => "GrantsSettled",
        RevokerReady => "RevokerReady",
        Drilled => "Drilled",
        Revoked => "Revoked",
        Frozen => "Frozen",
        Moved => "Moved",
        ReviewOverdue => "ReviewOverdue",
        Returned => "Returned",
        Refuted => "Refuted",
        HooksFailed => "HooksFailed",
    }
);

vocabulary!(
    /// Reason of a condition or of an Event.
    Reason {
        Succeeded => "Succeeded",
        Retrying => "Retrying",
        Stalled => "Stalled",
        Progressing => "Progressing",
        InvalidSpec => "InvalidSpec",

        Suspended => "Suspended",
        DefinitionMissing => "DefinitionMissing",
        CaBundleMissing => "CaBundleMissing",
        SecretMissing => "SecretMissing",
        SecretIncomplete => "SecretIncomplete",
        FirstCycle => "FirstCycle",
        Stale => "Stale",
        Responded => "Responded",
        Unreachable => "Unreachable",
        TimedOut => "TimedOut",
        Unauthorised => "Unauthorised",
        CredentialNotKept => "CredentialNotKept",
        Forbidden => "Forbidden",
        Missing => "Missing",
        ErrorStatus => "ErrorStatus",
        Throttled => "Throttled",
        WrongFormat => "WrongFormat",
        Truncated => "Truncated",
        NotOpened => "NotOpened",
        WrongColumns => "WrongColumns",
        TooLarge => "TooLarge",
        AddressRefused => "AddressRefused",
        SizeLimitReached => "SizeLimitReached",
        TimeLimitReached => "TimeLimitReached",
        AdminLimitReached => "AdminLimitReached",
        Referral => "Referral",
        AnonymousSignIn => "AnonymousSignIn",
        Unavailable => "Unavailable",
        Trusted => "Trusted",
        Empty => "Empty",
        DuplicateIds => "DuplicateIds",
        Incomplete => "Incomplete",
        TooManyBadRecords => "TooManyBadRecords",
        UnmappedStatuses => "UnmappedStatuses",
        FieldMissing => "FieldMissing",
        SentinelMissing => "SentinelMissing",
        MemoryLost => "MemoryLost",
        Shrunk => "Shrunk",
        ShrunkSlowly => "ShrunkSlowly",
        OtherPeople => "OtherPeople",
        IdsReassigned => "IdsReassigned",
        AddressesMoved => "AddressesMoved",
        OtherAddresses => "OtherAddresses",
        OtherStartDates => "OtherStartDates",
        LeaversChanged => "LeaversChanged",
        ManyLeft => "ManyLeft",
        OlderFile => "OlderFile",
        Mapped => "Mapped",
        UnmappedStatus => "UnmappedStatus",
        OwnIds => "OwnIds",
        WeakIdentity => "WeakIdentity",
        LeaversSeen => "LeaversSeen",
        NoLeaverSeen => "NoLeaverSeen",
        Taken => "Taken",
        SignatureMissing => "SignatureMissing",
        SignatureWrong => "SignatureWrong",
        OutOfTime => "OutOfTime",
        IssuerWrong => "IssuerWrong",
        AudienceWrong => "AudienceWrong",

        BaselineAwaited => "BaselineAwaited",
        ConnectionMissing => "ConnectionMissing",
        TooManyPeople => "TooManyPeople",
        Settled => "Settled",
        LeaversNeedApproval => "LeaversNeedApproval",
        Awaited => "Awaited",
        Matched => "Matched",
        DefaultZoneUsed => "DefaultZoneUsed",
        SomeUnknown => "SomeUnknown",
        NobodyMatched => "NobodyMatched",
        PerhapsTheSame => "PerhapsTheSame",
        NotMigrated => "NotMigrated",
        PolicyConflict => "PolicyConflict",
        ValuesWillBeLost => "ValuesWillBeLost",
        ManyMoved => "ManyMoved",
        ManyGranted => "ManyGranted",
        AccountsDiffer => "AccountsDiffer",
        ManyDisabled => "ManyDisabled",
        NotChecked => "NotChecked",
        DrillPassed => "DrillPassed",
        DrillFailed => "DrillFailed",
        DrillLate => "DrillLate",

        Refused => "Refused",
        NothingFound => "NothingFound",
        NotPlanned => "NotPlanned",
        Held => "Held",
        Released => "Released",
        RevokerCannotStart => "RevokerCannotStart",
        RevokerFailed => "RevokerFailed",
        AccessRemains => "AccessRemains",
        NotProved => "NotProved",
        Cancelled => "Cancelled",
        Frozen => "Frozen",
        Lifted => "Lifted",
        FreezeNotInstalled => "FreezeNotInstalled",
        FrozenFull => "FrozenFull",

        Moved => "Moved",
        NotReviewed => "NotReviewed",
        NotRefused => "NotRefused",
        CameBack => "CameBack",
        WorksAgain => "WorksAgain",
        StillRefused => "StillRefused",
        HookFailed => "HookFailed",
        Withdrawn => "Withdrawn",
        OutOfScope => "OutOfScope",
        Unknown => "Unknown",
        GlobalStop => "GlobalStop",
        Hold => "Hold",
        Protected => "Protected",
        Rejected => "Rejected",
        Observe => "Observe",
        Unsettled => "Unsettled",
        NotDue => "NotDue",
        Untrusted => "Untrusted",
        Late => "Late",
        Uncounted => "Uncounted",
        Baseline => "Baseline",
        LeavesScope => "LeavesScope",
        LedgerFull => "LedgerFull",
        OverLimit => "OverLimit",
        OverClusterLimit => "OverClusterLimit",
        ApprovalExpired => "ApprovalExpired",
        BeforeHooks => "BeforeHooks",

        Terminated => "Terminated",
        TerminationWithdrawn => "TerminationWithdrawn",
        Rehired => "Rehired",
        Conflict => "Conflict",
        InScope => "InScope",
        ScopeChanged => "ScopeChanged",
        FieldsChanged => "FieldsChanged",
        Planned => "Planned",
        Revoked => "Revoked",
        Failed => "Failed",
        RevokerReady => "RevokerReady",
        Unbound => "Unbound",
        Recreated => "Recreated",
        Removed => "Removed",
        HandedOver => "HandedOver",
        Trimmed => "Trimmed",
        Rotated => "Rotated",
        Evicted => "Evicted",
        Expired => "Expired",
    }
);

impl From<&Stop> for Reason {
    fn from(stop: &Stop) -> Self {
        match stop {
            Stop::Withdrawn => Self::Withdrawn,
            Stop::OutOfScope => Self::OutOfScope,
            Stop::Unknown => Self::Unknown,
            Stop::GlobalStop(_) => Self::GlobalStop,
            Stop::Hold(_) => Self::Hold,
            Stop::Protected => Self::Protected,
            Stop::Rejected => Self::Rejected,
            Stop::Observe => Self::Observe,
            Stop::Unsettled => Self::Unsettled,
            Stop::NotDue(_) => Self::NotDue,
            Stop::Untrusted => Self::Untrusted,
            Stop::Baseline(_) => Self::Baseline,
            Stop::LeavesScope(_) => Self::LeavesScope,
            Stop::Uncounted => Self::Uncounted,
            Stop::LedgerFull => Self::LedgerFull,
            Stop::OverLimit(..) => Self::OverLimit,
            Stop::OverClusterLimit(..) => Self::OverClusterLimit,
            Stop::ApprovalExpired(_) => Self::ApprovalExpired,
            Stop::Late => Self::Late,
        }
    }
}

impl From<&Finding> for Reason {
    fn from(finding: &Finding) -> Self {
        match finding {
            Finding::Empty => Self::Empty,
            Finding::DuplicateIds { .. } => Self::DuplicateIds,
            Finding::Incomplete { .. } => Self::Incomplete,
            Finding::TooManyBadRecords { .. } => Self::TooManyBadRecords,
            Finding::UnmappedStatuses { .. } => Self::UnmappedStatuses,
            Finding::FieldMissing(_) => Self::FieldMissing,
            Finding::Sentinels(_) => Self::SentinelMissing,
            Finding::MemoryLost => Self::MemoryLost,
            Finding::Shrunk { .. } => Self::Shrunk,
            Finding::ShrunkSlowly { .. } => Self::ShrunkSlowly,
            Finding::OtherPeople { .. } => Self::OtherPeople,
            Finding::IdsReassigned { .. } => Self::IdsReassigned,
            Finding::AddressesMoved { .. } => Self::AddressesMoved,
            Finding::OtherAddresses { .. } => Self::OtherAddresses,
            Finding::OtherStartDates { .. } => Self::OtherStartDates,
            Finding::LeaversChanged { .. } => Self::LeaversChanged,
            Finding::ManyLeft { .. } => Self::ManyLeft,
            Finding::OlderFile { .. } => Self::OlderFile,
            Finding::NoAnswer(failure) => Self::from(failure),
        }
    }
}

impl From<&Failure> for Reason {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Unreachable(_) => Self::Unreachable,
            Failure::TimedOut => Self::TimedOut,
            Failure::Unauthorised(_) => Self::Unauthorised,
            Failure::NotKept(_) => Self::CredentialNotKept,
            Failure::Forbidden => Self::Forbidden,
            Failure::Missing(_) => Self::Missing,
            Failure::Status(_) => Self::ErrorStatus,
            Failure::Throttled => Self::Throttled,
            Failure::WrongFormat(_) => Self::WrongFormat,
            Failure::Truncated(_) => Self::Truncated,
            Failure::NotOpened(_) => Self::NotOpened,
            Failure::WrongColumns(_) => Self::WrongColumns,
            Failure::TooLarge => Self::TooLarge,
            Failure::AddressRefused(_) => Self::AddressRefused,
            Failure::Directory(Directory::SizeLimit) => Self::SizeLimitReached,
            Failure::Directory(Directory::TimeLimit) => Self::TimeLimitReached,
            Failure::Directory(Directory::AdminLimit) => Self::AdminLimitReached,
            Failure::Directory(Directory::Elsewhere) => Self::Referral,
            Failure::Directory(Directory::Anonymous) => Self::AnonymousSignIn,
            Failure::Directory(Directory::Unavailable) => Self::Unavailable,
        }
    }
}

impl From<Phase> for Reason {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Held => Self::Held,
            Phase::Released => Self::Released,
            Phase::Revoked => Self::Revoked,
            Phase::Failed => Self::Failed,
            Phase::Cancelled => Self::Cancelled,
            Phase::Frozen => Self::Frozen,
            Phase::Lifted => Self::Lifted,
        }
    }
}

#[cfg(test)]
mod tests;
