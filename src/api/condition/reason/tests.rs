use std::collections::BTreeSet;

use super::*;
use domain::employee::{BadRecord, Directory, HrId};
use domain::gate::Hold;
use domain::ledger::{Over, Scope, What};
use jiff::Timestamp;

#[test]
fn each_word_is_spelled_as_manifests_and_alerts_name_it() {
    let spelled = |words: Vec<&str>| words.join(" ");
    assert_eq!(spelled(ConditionType::ALL.iter().map(|one| one.as_str()).collect()), TYPES);
    assert_eq!(spelled(Reason::ALL.iter().map(|one| one.as_str()).collect()), REASONS);
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
    }
    assert_eq!(Reason::parse("OfAnotherVersion"), None);
}

const TYPES: &str = "\
    Ready Reconciling Stalled Reachable Trusted Recognised StableIds TellsLeavers WebhooksTaken Baseline LocationsMatched \
    UserNamesMatched HumansMatched ScopesSeparate AccountsAgree FieldsSettled MovesSettled GrantsSettled RevokerReady Drilled Revoked Frozen Moved ReviewOverdue Returned Refuted \
    HooksFailed";

const REASONS: &str = "\
    Succeeded Retrying Stalled Progressing InvalidSpec Suspended DefinitionMissing CaBundleMissing SecretMissing \
    SecretIncomplete FirstCycle Stale Responded Unreachable TimedOut Unauthorised CredentialNotKept Forbidden Missing \
    ErrorStatus Throttled WrongFormat Truncated NotOpened WrongColumns TooLarge AddressRefused \
    SizeLimitReached TimeLimitReached AdminLimitReached Referral AnonymousSignIn Unavailable Trusted Empty \
    DuplicateIds Incomplete TooManyBadRecords UnmappedStatuses FieldMissing SentinelMissing MemoryLost Shrunk \
    ShrunkSlowly OtherPeople IdsReassigned AddressesMoved OtherAddresses OtherStartDates LeaversChanged ManyLeft \
    OlderFile Mapped UnmappedStatus OwnIds WeakIdentity LeaversSeen NoLeaverSeen Taken SignatureMissing SignatureWrong \
    OutOfTime IssuerWrong AudienceWrong BaselineAwaited ConnectionMissing \
    TooManyPeople Settled LeaversNeedApproval Awaited Matched DefaultZoneUsed SomeUnknown NobodyMatched \
    PerhapsTheSame NotMigrated PolicyConflict ValuesWillBeLost ManyMoved ManyGranted AccountsDiffer ManyDisabled NotChecked DrillPassed DrillFailed DrillLate \
    Refused NothingFound NotPlanned Held Released RevokerCannotStart RevokerFailed AccessRemains NotProved \
    Cancelled Frozen Lifted FreezeNotInstalled FrozenFull Moved NotReviewed NotRefused CameBack WorksAgain StillRefused HookFailed Withdrawn OutOfScope Unknown GlobalStop Hold Protected Rejected Observe \
    Unsettled NotDue Untrusted Late Uncounted Baseline LeavesScope LedgerFull OverLimit OverClusterLimit ApprovalExpired BeforeHooks \
    Terminated TerminationWithdrawn \
    Rehired Conflict InScope ScopeChanged FieldsChanged Planned Revoked Failed RevokerReady Unbound Recreated Removed HandedOver Trimmed Rotated Evicted \
    Expired";

fn stops() -> Vec<Stop> {
    let until = Timestamp::UNIX_EPOCH;
    let over = Over { scope: Scope::Cluster, what: What::People, hours: 24, would: 2, most: 1 };
    vec![
        Stop::Withdrawn,
        Stop::OutOfScope,
        Stop::Unknown,
        Stop::GlobalStop(String::new()),
        Stop::Hold(Hold { reason: String::new(), until }),
        Stop::Protected,
        Stop::Rejected,
        Stop::Observe,
        Stop::Unsettled,
        Stop::NotDue(until),
        Stop::Untrusted,
        Stop::Baseline(None),
        Stop::LeavesScope(None),
        Stop::Uncounted,
        Stop::LedgerFull,
        Stop::OverLimit(String::new(), None),
        Stop::OverClusterLimit(String::new(), over),
        Stop::ApprovalExpired(None),
        Stop::Late,
    ]
}

fn findings() -> Vec<Finding> {
    let (people, of, seen) = (1, 2, String::new);
    let mut all = vec![
        Finding::Empty,
        Finding::DuplicateIds { ids: 1, first: HrId("7".into()) },
        Finding::Incomplete { announced: 2, given: 1 },
        Finding::TooManyBadRecords { bad: 1, of, first: BadRecord { position: 1, reason: seen() } },
        Finding::UnmappedStatuses { people, of },
        Finding::FieldMissing(vec![]),
        Finding::Sentinels(vec![]),
        Finding::MemoryLost,
        Finding::Shrunk { now: 1, before: 2 },
        Finding::ShrunkSlowly { now: 1, high_water: 2 },
        Finding::OtherPeople { replaced: 1, of, source_changed: false },
        Finding::IdsReassigned { people, of },
        Finding::AddressesMoved { people, of },
        Finding::OtherAddresses { people, of },
        Finding::OtherStartDates { people, of },
        Finding::LeaversChanged { people, of },
        Finding::ManyLeft { people, of },
        Finding::OlderFile { by: "name", now: seen(), before: seen() },
    ];
    let failures = [
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
        Failure::WrongColumns(vec![]),
        Failure::TooLarge,
        Failure::AddressRefused(seen()),
    ];
    let of_directories = Directory::ALL.map(Failure::Directory);
    all.extend(failures.into_iter().chain(of_directories).map(Finding::NoAnswer));
    all
}

#[test]
fn a_gate_and_a_finding_have_the_same_word_in_a_condition_as_elsewhere() {
    let (stops, findings) = (stops(), findings());
    for stop in &stops {
        assert_eq!(Reason::from(stop).as_str(), stop.reason());
    }
    for finding in &findings {
        assert_eq!(Reason::from(finding).as_str(), finding.reason());
    }
    let distinct: BTreeSet<_> = stops.iter().map(Reason::from).chain(findings.iter().map(Reason::from)).collect();
    assert_eq!(distinct.len(), stops.len() + findings.len());
}

#[test]
fn a_phase_has_the_same_word_in_an_event_as_in_the_status() {
    for phase in Phase::ALL {
        assert_eq!(Reason::from(*phase).as_str(), phase.as_str());
    }
}
