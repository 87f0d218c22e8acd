//! What a driver says: one function for each condition, so that a message is written once.

use jiff::Timestamp;

use super::reason::{ConditionType, Reason};
use super::{ConditionUpdate, Status, table};
use crate::api::names;

fn update(type_: ConditionType, status: Status, reason: Reason, message: String) -> ConditionUpdate {
    debug_assert!(table::knows(type_, status, reason), "not in the table: {type_}={}/{reason}", status.as_str());
    ConditionUpdate { type_, status, reason, message }
}

// ---- Every kind ----------------------------------------------------------------------------------------------------

/// The object is as its spec says; nothing to do.
#[must_use]
pub fn ready(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Ready, Status::True, Reason::Succeeded, message.into())
}

/// The last reconcile failed and will be tried again by itself; look at the message if it stays.
#[must_use]
pub fn retrying(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Ready, Status::False, Reason::Retrying, message.into())
}

/// Something outside must happen first: the message names it.
#[must_use]
pub fn waiting(reason: Reason, message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Ready, Status::False, reason, message.into())
}

/// Work is under way; appears with `Ready` that is not `True`.
#[must_use]
pub fn reconciling(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Reconciling, Status::True, Reason::Progressing, message.into())
}

/// The spec cannot be followed; change what the message names.
#[must_use]
pub fn stalled(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Stalled, Status::True, Reason::InvalidSpec, message.into())
}

// ---- HRConnection --------------------------------------------------------------------------------------------------

/// The source gave a response.
#[must_use]
pub fn reachable() -> ConditionUpdate {
    update(ConditionType::Reachable, Status::True, Reason::Responded, "The source responded.".to_owned())
}

/// The source gave no usable answer; `reason` and message say how, and nothing was changed.
#[must_use]
pub fn unreachable(reason: Reason, message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Reachable, Status::False, reason, message.into())
}

/// The newest response was believed.
#[must_use]
pub fn trusted(employees: usize) -> ConditionUpdate {
    update(ConditionType::Trusted, Status::True, Reason::Trusted, format!("{employees} people, believed."))
}

/// The newest response was not believed; the last trusted one still stands. The message says what to do.
#[must_use]
pub fn held(reason: Reason, message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Trusted, Status::False, reason, message.into())
}

/// Some people carry a status nobody mapped; add the words in `status.unmappedStatuses` to the mapping.
#[must_use]
pub fn unmapped_statuses(words: usize, people: u32) -> ConditionUpdate {
    update(
        ConditionType::Recognised,
        Status::False,
        Reason::UnmappedStatus,
        format!(
            "{people} people carry {words} status words nobody mapped; they hold as Unknown. Map the words in status.unmappedStatuses."
        ),
    )
}

/// Every status word is mapped.
#[must_use]
pub fn recognised() -> ConditionUpdate {
    update(ConditionType::Recognised, Status::True, Reason::Mapped, "Everybody's status is mapped.".to_owned())
}

/// The source gives an id of its own for everybody.
#[must_use]
pub fn stable_ids() -> ConditionUpdate {
    update(ConditionType::StableIds, Status::True, Reason::OwnIds, "People carry the source's own id.".to_owned())
}

/// The source gives no id of its own, so a changed address looks like another person; add the id column if there is one.
#[must_use]
pub fn weak_identity() -> ConditionUpdate {
    update(
        ConditionType::StableIds,
        Status::False,
        Reason::WeakIdentity,
        "The source gives no employee id: people are keyed by a digest of their address, so a changed address is another person.".to_owned(),
    )
}

/// Answers show people who have left, or last days.
#[must_use]
pub fn leavers_seen(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::TellsLeavers, Status::True, Reason::LeaversSeen, message.into())
}

/// No response shows anybody who has left, or a last day: everybody stays employed for as long as that is so. Look at the
/// permissions of the credential, at filters of the export, and at the mapping.
#[must_use]
pub fn no_leaver_seen(since: Option<Timestamp>) -> ConditionUpdate {
    let since = since.map_or_else(|| "yet".to_owned(), |since| format!("since {since}"));
    update(
        ConditionType::TellsLeavers,
        Status::False,
        Reason::NoLeaverSeen,
        format!(
            "No response has contained anybody who has left, or a last day, {since}. If people have left, this source does not report it, and nobody's access ends because of it: let the credential or the export include former employees, and map their status or their last day."
        ),
    )
}

/// A webhook was taken.
#[must_use]
pub fn webhook_taken(at: Timestamp) -> ConditionUpdate {
    let message = format!("The newest webhook was taken at {at}. It asked for a read; the read decides.");
    update(ConditionType::WebhooksTaken, Status::True, Reason::Taken, message)
}

/// The newest request to the webhook's address was refused.
#[must_use]
pub fn webhook_refused(reason: Reason, at: Timestamp) -> ConditionUpdate {
    let message = format!(
        "A request was refused at {at}, and did nothing. If it came from the HR system, compare the form and the secret of spec.source.api.webhook with what it is set up with."
    );
    update(ConditionType::WebhooksTaken, Status::False, reason, message)
}

/// No request has come to the webhook's address yet.
#[must_use]
pub fn webhook_awaited(connection: &str) -> ConditionUpdate {
    let message = format!(
        "No webhook has come yet. It is taken at /webhooks/{connection} of rollcall scim, once the chart's value scim.webhookSecrets lists the Secret."
    );
    update(ConditionType::WebhooksTaken, Status::Unknown, Reason::Awaited, message)
}

/// The newest response is older than the connection allows; removals wait.
#[must_use]
pub fn stale(message: impl Into<String>) -> ConditionUpdate {
    waiting(Reason::Stale, message)
}

/// Polling is paused by `spec.suspend` until the given instant.
#[must_use]
pub fn suspended(reason: &str, until: Timestamp) -> ConditionUpdate {
    waiting(Reason::Suspended, format!("Suspended until {until}: {reason}. Announced last days still cut on time."))
}

// ---- SyncPolicy ----------------------------------------------------------------------------------------------------

/// The newest baseline brought no leavers, or none that waits.
#[must_use]
pub fn baseline_clear() -> ConditionUpdate {
    update(
        ConditionType::Baseline,
        Status::True,
        Reason::Settled,
        "The baseline is settled: later leavers act by themselves, within the limits.".to_owned(),
    )
}

/// The newest baseline brought leavers, or people came into scope who had left; each needs approval.
#[must_use]
pub fn baseline_leavers(leavers: u32) -> ConditionUpdate {
    update(
        ConditionType::Baseline,
        Status::True,
        Reason::LeaversNeedApproval,
        format!(
            "{leavers} people had left already when this baseline was taken, when they came into scope, or when they were first seen. See `kubectl get revocations`, then approve each, or the batch, if that is right."
        ),
    )
}

/// The spec cannot be followed; change what the message names. Last days that were announced, and leavers who are known,
/// do not wait for it.
#[must_use]
pub fn not_followed(message: impl Into<String>) -> ConditionUpdate {
    waiting(Reason::Stalled, message)
}

/// No trusted response has come since the policy, its connection or the source changed; look at the connection.
#[must_use]
pub fn answer_awaited(message: impl Into<String>) -> ConditionUpdate {
    waiting(Reason::BaselineAwaited, message)
}

/// There would be more people to manage than a policy takes: nobody new is added, everybody who stands goes on. Narrow
/// `spec.scope`.
#[must_use]
pub fn too_many_people(connection: &str, people: u32, most: u32) -> ConditionUpdate {
    waiting(
        Reason::TooManyPeople,
        format!(
            "Connection {connection} would bring {people} people to manage, and spec.maxPeople is {most}. Nobody new is added; everybody who stands goes on. Narrow spec.scope, set materialize: CredentialHolders, or raise maxPeople."
        ),
    )
}

/// No trusted response has come since the policy, or what a baseline is made of, changed.
#[must_use]
pub fn baseline_awaited() -> ConditionUpdate {
    update(
        ConditionType::Baseline,
        Status::False,
        Reason::Awaited,
        "The next trusted response of the connection becomes the baseline.".to_owned(),
    )
}

/// Some people have no location, or one that is in no entry of `timeZones.byLocation`; their days are counted in the
/// default zone. Add the locations, or give these people one in the HR system.
#[must_use]
pub fn locations_unmatched(people: usize) -> ConditionUpdate {
    update(
        ConditionType::LocationsMatched,
        Status::False,
        Reason::DefaultZoneUsed,
        format!(
            "{people} people have no location, or one that timeZones.byLocation does not name; their days are counted in the default zone."
        ),
    )
}

/// Every location with people has a time zone.
#[must_use]
pub fn locations_matched() -> ConditionUpdate {
    update(
        ConditionType::LocationsMatched,
        Status::True,
        Reason::Matched,
        "Everybody's location has a time zone.".to_owned(),
    )
}

/// Nobody looks like somebody else. People of corroborating connections who are nobody's that is known are said.
#[must_use]
pub fn humans_matched(strangers: Option<u32>) -> ConditionUpdate {
    let strangers = match strangers {
        None | Some(0) => String::new(),
        Some(people) => format!(" {people} people of corroborating connections match nobody."),
    };
    let message = format!("No two people look like one human.{strangers}");
    update(ConditionType::HumansMatched, Status::True, Reason::Matched, message)
}

/// Pairs of people may be one human. Say of each whether they are.
#[must_use]
pub fn perhaps_the_same(pairs: u32) -> ConditionUpdate {
    update(
        ConditionType::HumansMatched,
        Status::False,
        Reason::PerhapsTheSame,
        format!(
            "{pairs} pairs of people may be one human each. While one of them works here, what either owns is not revoked. For each pair in status.doubts: kubectl rollcall merge, or kubectl rollcall apart."
        ),
    )
}

/// People have only a record of a connection that was replaced: nothing is done about them.
#[must_use]
pub fn not_migrated(people: u32, pairs: u32) -> ConditionUpdate {
    let pairs = if pairs == 0 {
        String::new()
    } else {
        format!(" {pairs} pairs of people may be one human each: see status.doubts.")
    };
    update(
        ConditionType::HumansMatched,
        Status::False,
        Reason::NotMigrated,
        format!(
            "{people} people have only a record of a connection that was replaced, and nothing is done about them. Give those who still work here their new record with kubectl rollcall merge.{pairs}"
        ),
    )
}

/// Other policies read a connection of this one, and nobody is in the scope of two.
#[must_use]
pub fn scopes_separate() -> ConditionUpdate {
    let message = "Other policies read a connection of this one. Nobody is in the scope of two.".to_owned();
    update(ConditionType::ScopesSeparate, Status::True, Reason::Succeeded, message)
}

/// People are in the scope of two policies, and neither decides. Narrow one of the scopes.
#[must_use]
pub fn policy_conflict(people: usize, first: &str, others: &str) -> ConditionUpdate {
    let more = if first.split(',').count() < people { ", …" } else { "" };
    update(
        ConditionType::ScopesSeparate,
        Status::False,
        Reason::PolicyConflict,
        format!(
            "{people} people are in the scope of this policy and of {others}: {first}{more}. Nothing new is decided of them. Narrow spec.scope of one of these policies."
        ),
    )
}

/// HR and the directories say the same of everybody's account.
#[must_use]
pub fn accounts_agree() -> ConditionUpdate {
    let message = "HR and the directories agree about everybody's account.".to_owned();
    update(ConditionType::AccountsAgree, Status::True, Reason::Matched, message)
}

/// HR and the directories disagree. `found` are numbers, in words.
#[must_use]
pub fn accounts_differ(found: &str) -> ConditionUpdate {
    let message = format!("{found}. Nobody's access ends or is given by it. See kubectl rollcall people --findings.");
    update(ConditionType::AccountsAgree, Status::False, Reason::AccountsDiffer, message)
}

/// A directory says of many who work here that they are off, and is not believed. `found` is what else is found, if anything.
#[must_use]
pub fn many_disabled(directory: &str, off: u32, of: u32, found: &str) -> ConditionUpdate {
    let found = if found.is_empty() { String::new() } else { format!(" Besides: {found}.") };
    update(
        ConditionType::AccountsAgree,
        Status::Unknown,
        Reason::ManyDisabled,
        format!(
            "{directory} says that the accounts of {off} of {of} people who work here are off, which is more than a fifth, and is not believed in that. Nobody's access ends or is given by it.{found}"
        ),
    )
}

/// A changed mode of `spec.fields` takes values away, and has not done so yet. If that is not meant, change it back.
#[must_use]
pub fn values_will_be_lost(losses: &str, at: Timestamp) -> ConditionUpdate {
    update(
        ConditionType::FieldsSettled,
        Status::False,
        Reason::ValuesWillBeLost,
        format!("spec.fields: {losses}. This takes effect at {at}; change spec.fields back before then to keep them."),
    )
}

/// No more people than usual moved with the newest response.
#[must_use]
pub fn moves_settled() -> ConditionUpdate {
    let message = "No more people than usual have moved.".to_owned();
    update(ConditionType::MovesSettled, Status::True, Reason::Settled, message)
}

/// So many people moved at once that it is rather a renamed department or a shifted column: a human says what it is.
#[must_use]
pub fn many_moved(people: u32, digest: &str) -> ConditionUpdate {
    update(
        ConditionType::MovesSettled,
        Status::False,
        Reason::ManyMoved,
        format!(
            "{people} people moved at once, which is more than a fifth of those who work here. None of them is taken for a mover. Annotate this policy with {}={digest} if they moved, with {}={digest} if only words changed, or correct the source.",
            names::ACCEPT_MOVES,
            names::IGNORE_MOVES
        ),
    )
}

/// A rule of `spec.grants` cannot be followed. Correct what the message names; everything else of the policy goes on.
#[must_use]
pub fn grants_not_followed(why: &str) -> ConditionUpdate {
    let message = format!("{why}. Nothing is granted or taken away by rules of this policy until that is corrected.");
    update(ConditionType::GrantsSettled, Status::False, Reason::InvalidSpec, message)
}

/// Somebody moved, lately or with a review that is open.
#[must_use]
pub fn moved(fields: &str, at: Timestamp, due: Option<Timestamp>) -> ConditionUpdate {
    let review = due
        .map(|due| format!(" A review of their access is due at {due:.0}: kubectl rollcall review."))
        .unwrap_or_default();
    let message = format!("Changed at {at:.0}: {fields}.{review}");
    update(ConditionType::Moved, Status::True, Reason::Moved, message)
}

/// Nobody has answered a review of somebody's access in time. Nothing is revoked by that.
#[must_use]
pub fn review_overdue(due: Timestamp) -> ConditionUpdate {
    let message = format!(
        "The review of their access was due at {due:.0}, and nobody has answered it. Nothing is revoked by that: kubectl rollcall review."
    );
    update(ConditionType::ReviewOverdue, Status::True, Reason::NotReviewed, message)
}

/// Users that bindings name are people the policy knows; those of the same form who are not may be out of scope.
#[must_use]
pub fn user_names_matched(users: u32, strangers: u32) -> ConditionUpdate {
    match strangers {
        0 => update(
            ConditionType::UserNamesMatched,
            Status::True,
            Reason::Matched,
            format!("{users} users that bindings name are people of this namespace."),
        ),
        _ => update(
            ConditionType::UserNamesMatched,
            Status::True,
            Reason::SomeUnknown,
            format!(
                "{users} users that bindings name are people of this namespace; {strangers} more look like the user names of the policy and are nobody known, see status.coverage.strangers."
            ),
        ),
    }
}

/// Bindings name users, and none of them is a person: no binding of a leaver will be found. Compare a user name in a
/// binding with `spec.identity.usernames`.
#[must_use]
pub fn nobody_matched(bound: u32) -> ConditionUpdate {
    update(
        ConditionType::UserNamesMatched,
        Status::False,
        Reason::NobodyMatched,
        format!(
            "Bindings name {bound} users, and none of them is a person: the bindings of leavers would not be found. Compare a user name in a binding with spec.identity.usernames; `rollcall preview` shows what it gives."
        ),
    )
}

/// An empty Job of the revoker ended well, when it was last tried.
#[must_use]
pub fn revoker_ready(at: Timestamp) -> ConditionUpdate {
    let message = format!("An empty Job of the revoker ended well at {at:.0}.");
    update(ConditionType::RevokerReady, Status::True, Reason::Succeeded, message)
}

/// An empty Job of the revoker cannot run: nobody's access would end.
#[must_use]
pub fn revoker_not_ready(why: &str) -> ConditionUpdate {
    let message = format!("An empty Job of the revoker cannot run, so that leavers would keep their access: {why}.");
    update(ConditionType::RevokerReady, Status::False, Reason::RevokerCannotStart, message)
}

/// No empty Job of the revoker has ended yet.
#[must_use]
pub fn revoker_not_checked() -> ConditionUpdate {
    let message = "`rollcall control` has not tried yet whether the revoker can run.".to_owned();
    update(ConditionType::RevokerReady, Status::Unknown, Reason::NotChecked, message)
}

/// The newest drill saw everything of its leaver refused.
#[must_use]
pub fn drilled(at: Timestamp, seconds: f64) -> ConditionUpdate {
    let message =
        format!("The drill that ended at {at:.0} saw everything refused {seconds:.1} seconds after the file said so.");
    update(ConditionType::Drilled, Status::True, Reason::DrillPassed, message)
}

/// The newest drill did not get to the end: a real leaver may not either.
#[must_use]
pub fn drill_failed(at: Timestamp, how_far: &str, why: &str) -> ConditionUpdate {
    let message = format!(
        "The drill that ended at {at:.0} failed ({how_far}): {why}. A real leaver may keep their access for the same reason."
    );
    update(ConditionType::Drilled, Status::False, Reason::DrillFailed, message)
}

/// The next drill did not come: nobody knows whether it would still work.
#[must_use]
pub fn drill_late(due: Timestamp) -> ConditionUpdate {
    let message = format!(
        "A drill should have ended by {due:.0}: look at the CronJob and its Jobs in the namespace of the drill."
    );
    update(ConditionType::Drilled, Status::False, Reason::DrillLate, message)
}

/// No drill has ended yet.
#[must_use]
pub fn not_drilled() -> ConditionUpdate {
    let message = "No drill has ended yet: start one by `kubectl rollcall drill`, or wait for the CronJob.".to_owned();
    update(ConditionType::Drilled, Status::Unknown, Reason::NotChecked, message)
}

// ---- Person --------------------------------------------------------------------------------------------------------

/// The person's credentials were seen refused, or are implied to be.
#[must_use]
pub fn revoked(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Revoked, Status::True, Reason::Refused, message.into())
}

/// The person has left, and neither an account nor a binding of theirs was found: nothing was refused, so nothing is
/// proved. If they should have had access, look at marks and user names.
#[must_use]
pub fn nothing_found(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Revoked, Status::Unknown, Reason::NothingFound, message.into())
}

/// The person has left and access stands; the message names the gate and the next step.
#[must_use]
pub fn not_revoked(reason: Reason, message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Revoked, Status::False, reason, message.into())
}

/// The person is on leave, and what they would change is refused.
#[must_use]
pub fn frozen(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Frozen, Status::True, Reason::Frozen, message.into())
}

/// The person is on leave, the policy would freeze them, and a gate is shut.
#[must_use]
pub fn not_frozen(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Frozen, Status::False, Reason::Held, message.into())
}

// ---- Revocation ----------------------------------------------------------------------------------------------------

/// The revoker ended and not every target is proved refused; correct what the message names.
#[must_use]
pub fn not_refused(message: impl Into<String>) -> ConditionUpdate {
    update(ConditionType::Stalled, Status::True, Reason::NotRefused, message.into())
}

/// A credential of the leaver was made again after the act; find who applies it, and remove it there.
#[must_use]
pub fn returned(count: usize) -> ConditionUpdate {
    update(
        ConditionType::Returned,
        Status::True,
        Reason::CameBack,
        format!(
            "{count} credentials of this person were made again after the act: see status.returned. Remove them where they are applied from."
        ),
    )
}

/// A later check saw that something that was revoked works again; end it where it comes from.
#[must_use]
pub fn works_again(count: usize) -> ConditionUpdate {
    update(
        ConditionType::Refuted,
        Status::True,
        Reason::WorksAgain,
        format!(
            "Access is back: {count} things that were revoked work again, see status.recheck.refuted. End them where they come from; they are looked at again every hour."
        ),
    )
}

/// A later check saw that what worked again is refused.
#[must_use]
pub fn refused_again() -> ConditionUpdate {
    update(
        ConditionType::Refuted,
        Status::False,
        Reason::StillRefused,
        "Nothing that was revoked works again, by the newest check in status.recheck; or the person is back, and may have it.".to_owned(),
    )
}

/// A hook ended without success: what it would have done is to be done by hand.
#[must_use]
pub fn hooks_failed(which: &str) -> ConditionUpdate {
    update(
        ConditionType::HooksFailed,
        Status::True,
        Reason::HookFailed,
        format!(
            "Hooks did not end well, and what they do was perhaps not done: {which}. What is in the plan is not concerned."
        ),
    )
}
