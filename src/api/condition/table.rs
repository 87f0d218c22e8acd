//! What each reason means: when it appears under a condition, and what the reader does next.
//!
//! `docs/conditions.md` shows this table, and a test compares the two row by row; a condition that the table lacks cannot
//! be made in a test.

use super::Status;
use super::reason::{ConditionType, Reason};

/// Rows of the documentation under one heading.
#[derive(Debug)]
pub struct Section {
    /// The heading.
    pub heading: &'static str,
    /// Its rows, in their order.
    pub rows: &'static [Row],
}

/// Reasons of one condition that mean the same to the reader.
#[derive(Debug)]
pub struct Row {
    /// Type of the condition.
    pub condition: ConditionType,
    /// Its status.
    pub status: Status,
    /// The reasons.
    pub reasons: &'static [Reason],
    /// When it appears.
    pub when: &'static str,
    /// What the reader does next.
    pub next: &'static str,
}

/// An Event: what happened, and on which objects it is written.
#[derive(Debug)]
pub struct EventRow {
    /// The reasons.
    pub reasons: &'static [Reason],
    /// The objects, and who writes it.
    pub on: &'static str,
    /// What happened.
    pub when: &'static str,
}

/// Whether a condition with this status and reason is one of the table.
#[must_use]
pub fn knows(condition: ConditionType, status: Status, reason: Reason) -> bool {
    CONDITIONS
        .iter()
        .flat_map(|section| section.rows)
        .any(|row| row.condition == condition && row.status == status && row.reasons.contains(&reason))
}

/// Rows, one a line of the page: `Condition=Status [Reason, …] "when" => "what to do";`.
macro_rules! rows {
    (@reasons [$($reason:ident),+]) => { &[$(Reason::$reason),+] };
    (@reasons ($reasons:ident)) => { $reasons };
    ($($condition:ident=$status:ident $reasons:tt $when:literal => $next:expr;)+) => {
        &[$(Row {
            condition: ConditionType::$condition,
            status: Status::$status,
            reasons: rows!(@reasons $reasons),
            when: $when,
            next: $next,
        }),+]
    };
}

const fn event(reasons: &'static [Reason], on: &'static str, when: &'static str) -> EventRow {
    EventRow { reasons, on, when }
}

/// No whole response came.
const NO_RESPONSE: &[Reason] = &[
    Reason::Unreachable,
    Reason::TimedOut,
    Reason::Unauthorised,
    Reason::CredentialNotKept,
    Reason::Forbidden,
    Reason::Missing,
    Reason::ErrorStatus,
    Reason::Throttled,
    Reason::WrongFormat,
    Reason::Truncated,
    Reason::NotOpened,
    Reason::WrongColumns,
    Reason::TooLarge,
    Reason::AddressRefused,
    Reason::SizeLimitReached,
    Reason::TimeLimitReached,
    Reason::AdminLimitReached,
    Reason::Referral,
    Reason::AnonymousSignIn,
    Reason::Unavailable,
];

/// A response came, and is not trusted.
const NOT_TRUSTED: &[Reason] = &[
    Reason::Empty,
    Reason::Incomplete,
    Reason::DuplicateIds,
    Reason::TooManyBadRecords,
    Reason::UnmappedStatuses,
    Reason::FieldMissing,
    Reason::SentinelMissing,
    Reason::Shrunk,
    Reason::ShrunkSlowly,
    Reason::OtherPeople,
    Reason::IdsReassigned,
    Reason::AddressesMoved,
    Reason::OtherAddresses,
    Reason::OtherStartDates,
    Reason::LeaversChanged,
    Reason::ManyLeft,
    Reason::OlderFile,
    Reason::MemoryLost,
];

const NO_RESPONSE_NEXT: &str = "[trusting.md](trusting.md#there-is-no-complete-response) has a row for each";
const NOT_TRUSTED_NEXT: &str =
    "[trusting.md](trusting.md#there-is-a-complete-response-and-it-is-held) has a row for each";

/// Every condition, as `docs/conditions.md` shows it.
pub const CONDITIONS: &[Section] = &[
    Section { heading: "Every kind but Person", rows: EVERY_KIND },
    Section { heading: "HRConnection", rows: HR_CONNECTION },
    Section { heading: "SyncPolicy", rows: SYNC_POLICY },
    Section { heading: "Person", rows: PERSON },
    Section { heading: "Revocation", rows: REVOCATION },
    Section { heading: "Gates", rows: GATES },
];

const EVERY_KIND: &[Row] = rows! {
    Ready=True [Succeeded]
        "it is as its spec says, or it has ended" => "nothing";
    Ready=False [Retrying]
        "a call failed; tried again after 2 seconds, then longer, up to 5 minutes" => "look at the message if it stays";
    Ready=False [Stalled]
        "the spec cannot be followed; `Stalled=True` with the same message" => "change the field it names";
    Reconciling=True [Progressing]
        "work goes on, or is tried again" => "wait";
    Stalled=True [InvalidSpec]
        "with `Ready=False`" => "what the message says";
};

const HR_CONNECTION: &[Row] = rows! {
    Ready=False [Suspended]
        "`spec.suspend`" => "wait, or remove it";
    Ready=False [DefinitionMissing, CaBundleMissing]
        "what `definitionRef` or `network.caBundleRef` names is not there" => "make it; looked for every 30 seconds";
    Ready=False [SecretMissing, SecretIncomplete]
        "the Secret of `credentialsRef` is not there, or lacks its keys" => "make it; looked for every 30 seconds";
    Ready=False [FirstCycle]
        "users are being pushed for the first time" => "wait: they are read once nothing was pushed for 30 seconds";
    Ready=False [Stale]
        "no file came for longer than `trust.staleAfter`" => "look at the sender's export";
    Ready=False (NO_RESPONSE)
        "the newest attempt brought no whole response" => NO_RESPONSE_NEXT;
    Ready=False (NOT_TRUSTED)
        "the newest response is not trusted" => NOT_TRUSTED_NEXT;
    Reachable=True [Responded]
        "the source responded" => "nothing";
    Reachable=False (NO_RESPONSE)
        "it gave no whole response" => NO_RESPONSE_NEXT;
    Trusted=True [Trusted]
        "the newest response is trusted" => "nothing";
    Trusted=False (NO_RESPONSE)
        "there is no whole response; the last trusted one stands" => NO_RESPONSE_NEXT;
    Trusted=False (NOT_TRUSTED)
        "the newest response is not trusted; the last trusted one stands" => NOT_TRUSTED_NEXT;
    Recognised=True [Mapped]
        "every status word is mapped" => "nothing";
    Recognised=False [UnmappedStatus]
        "some people hold as Unknown" => "map the words in `status.unmappedStatuses`: under `csv.statuses` of a file, under `source.api.statuses` next to a connector";
    StableIds=True [OwnIds]
        "people carry the source's own id" => "nothing";
    StableIds=False [WeakIdentity]
        "people are keyed by a digest of their address" => "name the id column, if there is one";
    TellsLeavers=True [LeaversSeen]
        "a trusted response of the last 90 days had somebody who left, or a last day" => "nothing";
    TellsLeavers=False [NoLeaverSeen]
        "none had: nobody's access ends by this source" => "[trusting.md](trusting.md#a-source-that-never-tells-who-left)";
    WebhooksTaken=True [Taken]
        "a webhook of the HR system was taken, and asked for a read" => "nothing";
    WebhooksTaken=False [SignatureMissing, SignatureWrong, OutOfTime, IssuerWrong, AudienceWrong, TooLarge, TimedOut, SecretMissing]
        "the newest request was refused, and did nothing" => "[webhooks.md](webhooks.md#when-a-webhook-is-refused) has a row for each";
    WebhooksTaken=Unknown [Awaited]
        "no webhook has come yet" => "give the HR system the address and the secret: [webhooks.md](webhooks.md)";
};

const SYNC_POLICY: &[Row] = rows! {
    Ready=False [BaselineAwaited]
        "no trusted response since the policy, its connection or the source changed" => "look at the connection";
    Ready=False [ConnectionMissing]
        "there is no HRConnection of that name; announced last days and known leavers go on" => "apply it";
    Ready=False [Stalled]
        "the spec cannot be followed; announced last days and known leavers go on" => "change the field it names";
    Ready=False [Progressing]
        "so many Persons are still to be written; leavers do not wait for them" => "wait";
    Ready=False [TooManyPeople]
        "more people to manage than `spec.maxPeople`: nobody new is added, those who are known go on" => "narrow `spec.scope`, set `materialize: CredentialHolders`, or raise `maxPeople`";
    Baseline=True [Settled]
        "later leavers act by themselves, within the limits" => "nothing";
    Baseline=True [LeaversNeedApproval]
        "so many had left when it was taken, when they came into scope or when they were first seen, and are not revoked" => "approve each, or the batch, if that is right";
    Baseline=False [Awaited]
        "the next trusted response becomes the baseline" => "wait";
    LocationsMatched=True [Matched]
        "every location of the newest response has a zone" => "nothing";
    LocationsMatched=False [DefaultZoneUsed]
        "so many people have no location, or one that `byLocation` does not list: their days are counted in the default zone" => "add the locations to `byLocation`, or give these people one";
    UserNamesMatched=True [Matched]
        "so many users that bindings name are people" => "nothing";
    UserNamesMatched=True [SomeUnknown]
        "so many more look like the user names of the policy and are nobody known: people out of scope, or of another company" => "see `status.coverage.strangers`";
    UserNamesMatched=False [NobodyMatched]
        "bindings name users, and none of them is a person: the bindings of leavers would not be found" => "compare a user name in a binding with `spec.identity.usernames`";
    HumansMatched=True [Matched]
        "no two people look like one human, and everybody of a replaced connection has a record of the new one" => "nothing";
    HumansMatched=False [PerhapsTheSame]
        "so many pairs of people share an address or an employee number: what either owns is not revoked while the other works here" => "for each pair in `status.doubts`: `kubectl rollcall merge` if they are one human, `kubectl rollcall apart` if not";
    HumansMatched=False [NotMigrated]
        "so many people have only a record of a connection that was replaced, and nothing is done about them" => "`kubectl rollcall merge` for those who have a record of the new connection; see `why` of the others";
    ScopesSeparate=True [Succeeded]
        "other policies read a connection of this one, and nobody is in the scope of two" => "nothing";
    ScopesSeparate=False [PolicyConflict]
        "so many people are in the scope of this policy and of another one over the same connection: nothing new is decided of them, and `why` of the Person says `PolicyConflict`" => "narrow `spec.scope` of one of them: [matching.md](matching.md#several-policies-over-one-connection)";
    AccountsAgree=True [Matched]
        "no directory of the policy has an account that is on of somebody who left a day ago or earlier, or of nobody, and everybody who works here has one that is on" => "nothing";
    AccountsAgree=False [AccountsDiffer]
        "so many leavers have an account that is still on, so many people who work here have none or one that is off, or so many accounts are nobody's; nobody's access ends or is given by it" => "`kubectl rollcall people --findings`, and correct the directory or HR: [identity.md](identity.md#findings)";
    AccountsAgree=Unknown [ManyDisabled]
        "a directory says of so many people who work here that their account is off that it is not believed: whether an account of it is on is not known, and grants that ask for it stay as they are" => "look at the directory; correct it, or HR if these people have left";
    FieldsSettled=False [ValuesWillBeLost]
        "a changed mode of `spec.fields` will remove or overwrite so many values, at the time the message names" => "if that is not meant, change `spec.fields` back before then";
    MovesSettled=True [Settled]
        "no more people than usual moved with the newest response" => "nothing";
    MovesSettled=False [ManyMoved]
        "ten or more people, and more than a fifth of those who work here, moved at once: nobody of them is taken for a mover, and no review is opened" => "annotate the policy with the digest of the message: [movers.md](movers.md#many-at-once); or correct the source";
    GrantsSettled=False [InvalidSpec]
        "a rule of `spec.grants` cannot be followed: `rollcall grant` makes and removes nothing for this policy, and leavers lose what was granted by their Revocations" => "correct what the message names";
    RevokerReady=True [Succeeded]
        "an empty Job of the revoker, made as its Jobs are made now, ended well" => "nothing";
    RevokerReady=False [RevokerCannotStart]
        "such a Job cannot run: leavers would keep their access" => "the message names the policy, quota, webhook, image or scheduling reason: [installing](install.md#what-your-platform-needs)";
    RevokerReady=Unknown [NotChecked]
        "no such Job has ended yet" => "wait; look at control if it stays";
    Drilled=True [DrillPassed]
        "of the policy `rollcall-drill`: the newest drill saw its leaver's token and right refused, and the Revocation shows it" => "nothing";
    Drilled=False [DrillFailed]
        "the newest drill did not get to the end; the message says how far it came" => "correct that, and start one by hand: [drill.md](drill.md#when-a-drill-fails)";
    Drilled=False [DrillLate]
        "the next drill should have ended by then" => "look at the CronJob and its Jobs in the namespace of the drill";
    Drilled=Unknown [NotChecked]
        "no drill has ended yet" => "start one by hand: [drill.md](drill.md)";
};

const PERSON: &[Row] = rows! {
    Moved=True [Moved]
        "their department, title, company or manager changed; for thirty days, or until the review is answered" => "nothing, or `kubectl rollcall review`: [movers.md](movers.md)";
    ReviewOverdue=True [NotReviewed]
        "nobody answered the review of their access by the time it was due; nothing is revoked by that" => "`kubectl rollcall review`";
    Revoked=True [Refused]
        "the Revocations of this termination ended with every target refused, and nothing remains" => "nothing";
    Revoked=Unknown [NothingFound]
        "neither an account nor a binding of theirs was found: nothing was refused, so nothing is proved" => "if they should have had access: owner annotations, and the policy's `UserNamesMatched`";
    Revoked=False [NotPlanned]
        "control has not made a Revocation yet" => "look at control if it stays";
    Revoked=False [Held]
        "a gate is shut; the message says which" => "see the gates below";
    Revoked=False [Released]
        "the revoker is started for it" => "wait";
    Revoked=False [RevokerCannotStart, RevokerFailed]
        "every gate is open, and access stands, because the revoker does not run" => "as on the Revocation";
    Revoked=False [AccessRemains]
        "it is done, and things of theirs remain and still work" => "end by hand what `remaining` of the Revocations names";
    Revoked=False [WorksAgain]
        "a check after the end saw that something that was revoked works again" => "as `Refuted` of the Revocation";
    Revoked=False [NotProved]
        "it ended `Failed`" => "correct what it names, then `kubectl rollcall retry` the Revocation";
    Revoked=False [Cancelled]
        "it was cancelled, and access stands" => "nothing, or end the access by hand";
    Frozen=True [Frozen]
        "what they would change in the cluster is refused, and reads are not: they are on leave or suspended, or a human said so" => "nothing: it is lifted when they are back; `kubectl rollcall reject` lifts it sooner";
    Frozen=False [Held]
        "they are to be frozen, and a gate is shut; the message says which" => "see the gates below";
};

const REVOCATION: &[Row] = rows! {
    Ready=False [Released]
        "every gate is open, and the revoker's Job (`status.job`) carries it out; `status.claim` is there once it has begun" => "wait";
    Ready=False [RevokerCannotStart]
        "the Job or its pod is refused, its image cannot be pulled, or no node takes it; nothing was changed" => "the message names the policy, quota, webhook, image or scheduling reason: [installing](install.md#what-your-platform-needs)";
    Ready=False [RevokerFailed]
        "the revoker's last Jobs failed, or ended without ever running; the next is started later" => "the message says how; the logs of those Jobs";
    Ready=False [NotRefused]
        "not every target is proved refused; `Stalled=True` with the same message" => "correct what `steps` and `verdicts` name, then `kubectl rollcall retry NAME`; it holds the only manifests, so do not delete it";
    Stalled=True [NotRefused]
        "with `Ready=False`" => "what the message says";
    Ready=False [NothingFound]
        "a freeze, and no user name and no personal account is this person's alone" => "`spec.identity.usernames` of the policy, and `status.plan.remaining`";
    Ready=False [FreezeNotInstalled]
        "a freeze, and the admission policy that would refuse is not there" => "the chart's value `freeze.enabled`";
    Ready=False [FrozenFull]
        "a freeze, and the list of frozen user names is full" => "`lifecycle.leave: Cut`, or fewer people in scope";
    Returned=True [CameBack]
        "something was made again after the act; stays" => "remove it where it is applied from";
    Refuted=True [WorksAgain]
        "a check after the end saw that something that was revoked works again: `status.recheck.refuted`" => "end it where it comes from: [leaving.md](leaving.md#looked-at-again)";
    Refuted=False [StillRefused]
        "it worked again, and does no more, or the person is back" => "nothing";
    HooksFailed=True [HookFailed]
        "a hook of the policy ended without success, or could not be started; the cut did not wait for it: `status.hooks`" => "do by hand what it would have done, and correct what the message names: [hooks.md](hooks.md#when-a-hook-fails)";
};

const GATES: &[Row] = rows! {
    Ready=False [Withdrawn]
        "the person is no longer terminated, or no longer on leave" => "nothing: it never opens, and becomes `Cancelled`";
    Ready=False [OutOfScope]
        "the person is out of the policy's scope: [scope.md](scope.md)" => "opens when they come into scope again, as a new Revocation that needs approval";
    Ready=False [Unknown]
        "whether they left can no longer be told, or the Person is gone" => "opens when the HR system says it again";
    Ready=False [GlobalStop]
        "a stop, or it or the ledger cannot be read" => "`kubectl rollcall stop --lift`";
    Ready=False [Hold]
        "a human's hold" => "opens at its end, or when it is removed";
    Ready=False [Protected]
        "the policy protects the person" => "opens when it no longer does; end the access by hand otherwise";
    Ready=False [Rejected]
        "somebody who may approve said no: `spec.rejection`" => "`kubectl rollcall reject --undo NAME`";
    Ready=False [Observe]
        "the policy observes, or is gone" => "`mode: Enforce`";
    Ready=False [Unsettled]
        "the policy changed and its baseline is not taken" => "opens with the next look, or the next trusted response";
    Ready=False [NotDue]
        "too early" => "opens at `due`";
    Ready=False [Untrusted]
        "a removal, and the newest response is not trusted" => "opens when one is";
    Ready=False [Late]
        "found after the first plan" => "`kubectl rollcall approve NAME`";
    Ready=False [Uncounted]
        "not every leaver of its run has a plan yet, or the plan changed since it was counted" => "opens within seconds";
    Ready=False [Baseline]
        "they had left when the baseline was taken, when they came into scope, or when they were first seen" => "`kubectl rollcall approve`";
    Ready=False [LeavesScope]
        "the response that says they leave would also put them out of scope: [scope.md](scope.md)" => "`kubectl rollcall approve`";
    Ready=False [LedgerFull]
        "more of this policy waits than the ledger has room for, so the run is not counted; other policies are not concerned" => "approve or reject what waits";
    Ready=False [OverLimit]
        "too many at once for the policy; the message says which limit" => "`kubectl rollcall approve --batch BATCH`, or one of them by its name";
    Ready=False [OverClusterLimit]
        "too many at once of all policies together: the chart's value `limits`" => "the same";
    Ready=False [ApprovalExpired]
        "it was approved, and nothing was done within `limits.approvalsLast` of the policy; or the approval is dated in the future" => "look at the plan and at what held it, then approve it again";
    Ready=False [BeforeHooks]
        "every gate is open, and hooks of the policy run before the cut: `status.hooks`" => "opens once they have ended, at `gate.until` at the latest, whether they succeed or not";
};

/// Every Event of type Normal, and what is wrong and no condition: other Warnings carry the reason of a condition.
pub const EVENTS: &[EventRow] = &[
    event(
        &[Reason::Terminated],
        "Person, by sync",
        "a trusted response or a midnight says that they left; not of a baseline's leavers",
    ),
    event(&[Reason::TerminationWithdrawn], "Person, by sync", "they work here again: the termination was taken back"),
    event(&[Reason::Rehired], "Person, by sync", "they work here again, in a new employment"),
    event(&[Reason::Conflict], "Person, by sync (Warning)", "what the records say cannot all be true; holds"),
    event(&[Reason::OutOfScope, Reason::InScope], "Person, by sync", "a response put them out of scope, or into it"),
    event(&[Reason::Moved], "Person, by sync", "their department, title, company or manager changed"),
    event(
        &[Reason::ManyMoved],
        "SyncPolicy, by sync (Warning)",
        "so many people moved at once that none of them is taken for a mover until a human says so",
    ),
    event(
        &[Reason::ManyGranted],
        "SyncPolicy, by grant (Warning)",
        "a rule of `spec.grants` would give so many people a role, or take it, that a human is asked: [grants.md](grants.md#many-at-once)",
    ),
    event(
        &[Reason::ScopeChanged],
        "SyncPolicy, by sync",
        "a changed policy put people out of scope, or into it: one for them all",
    ),
    event(
        &[Reason::FieldsChanged],
        "SyncPolicy, by sync",
        "a changed mode of `spec.fields` removed or overwrote so many values",
    ),
    event(
        &[
            Reason::Planned,
            Reason::Held,
            Reason::Released,
            Reason::Revoked,
            Reason::Cancelled,
            Reason::Frozen,
            Reason::Lifted,
        ],
        "Person, by control",
        "a Revocation of theirs came to this phase; with the gate, where it is held",
    ),
    event(
        &[Reason::Failed],
        "Person, by control (Warning)",
        "a Revocation of theirs ended without proof for every target",
    ),
    event(&[Reason::CameBack], "Person, by control (Warning)", "credentials were made again after the act"),
    event(
        &[Reason::WorksAgain],
        "Person, by control (Warning)",
        "a check after the end saw that something that was revoked works again",
    ),
    event(
        &[Reason::RevokerReady],
        "ConfigMap `rollcall-consents`, by control",
        "an empty Job of the revoker ended well",
    ),
    event(
        &[Reason::RevokerCannotStart],
        "ConfigMap `rollcall-consents`, by control (Warning)",
        "an empty Job of the revoker cannot run",
    ),
    event(
        &[Reason::DrillPassed],
        "SyncPolicy `rollcall-drill`, by control",
        "a drill saw everything of its leaver refused; with the time that took",
    ),
    event(
        &[Reason::DrillFailed],
        "SyncPolicy `rollcall-drill`, by control (Warning)",
        "a drill did not get to the end; with how far it came",
    ),
    event(
        &[Reason::Expired],
        "SyncPolicy, by control",
        "Revocations were removed: the last of their person's ended longer ago than `retention.evidence`",
    ),
    event(
        &[
            Reason::Unbound,
            Reason::Trimmed,
            Reason::Recreated,
            Reason::HandedOver,
            Reason::Rotated,
            Reason::Removed,
            Reason::Evicted,
        ],
        "Person (with the number of objects), and each object acted on, by the revoker",
        "what was done; for a ClusterRoleBinding in namespace `default`",
    ),
];

#[cfg(test)]
mod tests;
