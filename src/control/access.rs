//! What a leaver owns in the cluster, put together for the plan: the index nominates, what runs there is listed live.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::ResourceExt;

use super::Context;
use super::freeze::first;
use super::owned::Belongings;
use super::sessions;
use crate::api::revocation::{self, Operation, Trigger};
use crate::api::{Person, Revocation, SyncPolicy, convert, names};
use crate::kube::calls::call;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::planning::Planning;
use domain::ownership::{Claim, Index, PersonFacts};
use domain::plan::{self, Kind, Plan, Remaining, RemainingReason, Subject, rotate};

/// What of somebody's belongings was theirs when their first cut was made. All else is a later discovery, which waits
/// alone.
///
/// The API server's own record of when a field was last written does not settle it: it moves with every write of the same
/// manager, so that a leaver who touches their account would make it look newly annotated. So what control knew at that
/// moment is kept in the Revocation, which no leaver can write and which outlives this process.
pub struct Notice {
    made: Option<Timestamp>,
    owned: BTreeSet<String>,
    /// Of a termination: user names are frozen before anything is cut. What turns up later is cut under that freeze.
    freezes: bool,
}

impl Notice {
    /// Of this Revocation; `None` of one that is about later discoveries.
    pub fn of(revocation: &Revocation) -> Option<Self> {
        (!revocation.spec.late).then(|| Self {
            made: revocation.metadata.creation_timestamp.as_ref().map(|made| made.0),
            owned: revocation.spec.owned.iter().cloned().collect(),
            freezes: revocation.spec.trigger == Trigger::Termination,
        })
    }

    /// Whether an object was theirs by then: control knew it, or it has said so since. Both instants are the API server's,
    /// and of whole seconds.
    fn includes(&self, uid: &str, since: Option<Timestamp>) -> bool {
        let said_by_then = |made: Timestamp| since.is_none_or(|since| since.as_second() <= made.as_second());
        self.owned.contains(uid) || self.made.is_none_or(said_by_then)
    }
}

/// Draws the plan of an operation against one person as the cluster is now.
///
/// `recreated` are the uids that the cut gave to accounts; a removal takes no others. What was not theirs by the `notice` is
/// left out: it is a later discovery, which waits alone. An owner annotation that somebody set shortly before the instant
/// `noticed` is not acted on; without that instant it is, as nothing of that plan acts unapproved.
///
/// # Errors
/// When the API server did not say what may be done, or who runs as an account: no plan follows from silence.
pub async fn draw(
    ctx: &Context,
    person: &Person,
    policy: &SyncPolicy,
    operation: Operation,
    recreated: &BTreeSet<String>,
    notice: Option<&Notice>,
    noticed: Option<Timestamp>,
) -> Result<Plan, Fault> {
    ctx.stores.secrets.first_listed().await;
    let facts = convert::person_facts(person, (ctx.clock)());
    let mut belongings = ctx.owned(|owned| owned.of(&facts, recreated));
    if let Some(notice) = notice {
        belongings.accounts.retain(|account| notice.includes(&account.object.uid, account.at));
        belongings.bindings.retain(|binding| notice.includes(&binding.object.uid, binding.at));
        belongings.secrets.retain(|secret| notice.includes(&secret.object.uid, secret.at));
    }
    let Belongings { accounts, bindings, secrets, index } = belongings;
    let accounts: Vec<_> = accounts.into_iter().map(|account| account.object).collect();
    let secrets: Vec<_> = secrets.into_iter().map(|secret| secret.object).collect();
    let mut fresh = noticed.map(|noticed| ctx.marks.fresh(&accounts, noticed)).unwrap_or_default();
    fresh.extend(noticed.into_iter().flat_map(|noticed| rotate::fresh(&secrets, noticed)));
    let who = |name: &str| convert::colleague(ctx.stores.people.get(name)?.as_ref());
    let heirs = ctx.owned(|owned| owned.heirs(&facts, &accounts, &secrets, &convert::handover(policy), who));
    let bindings = bindings.into_iter().map(|binding| binding.object).collect();
    let own = vec![ctx.options.namespace.clone(), ctx.options.revoker_namespace.clone()];
    let mut planning = Planning::of(facts, index, (accounts, bindings), recreated.clone(), own).with_secrets(secrets);
    for place in planning.places() {
        let consent = ctx.consents.of(ctx, &place).await?;
        planning.consents(place, consent);
    }
    planning.runs(ctx.consumers.of(ctx, planning.consenting()).await?);
    planning.fresh(fresh);
    planning.hands_over(heirs, notice.is_none() && noticed.is_none() && operation == Operation::Cut);
    let (rule, protected) = (convert::rule(policy), first::protected(ctx, policy));
    Ok(match notice {
        Some(Notice { freezes: true, .. }) => planning.draw_first(&rule, &protected),
        _ => planning.draw(operation.into(), &rule, &protected),
    })
}

/// Why an account is left alone that an admin ends by making it again, as somebody else's: with the uid its tokens are gone.
const MADE_AGAIN: [RemainingReason; 5] = [
    RemainingReason::ChangedBeforeExit,
    RemainingReason::WorkloadAccount,
    RemainingReason::OwnerVacant,
    RemainingReason::HeirLeft,
    RemainingReason::TokenInUse,
];

/// Takes from what a plan left alone what an admin ended by hand since: bindings that are gone or no longer name this
/// person, and accounts that are gone. An account that only lost its owner annotation stays, since its tokens still work; one that
/// lost it before the exit, or that workloads run as, is gone too once another was made in its place after this Revocation `acted`.
///
/// # Errors
/// When the API server did not say whether an account is gone.
pub async fn drop_what_ended(
    ctx: &Context,
    person: &Person,
    recreated: &BTreeSet<String>,
    acted: Option<Timestamp>,
    plan: &mut revocation::Plan,
) -> Result<(), Fault> {
    let facts = convert::person_facts(person, (ctx.clock)());
    let mut there = described(&ctx.owned(|owned| owned.of(&facts, recreated)));
    for left in plan.remaining.iter().filter(|left| !there.contains(&left.what)).cloned().collect::<Vec<_>>() {
        let stands = match convert::of_sessions(&left.why) {
            true => sessions::may_be_open(ctx, &left, acted).await?,
            false => account_stands(ctx, &left, acted).await?,
        };
        if stands {
            there.insert(left.what);
        }
    }
    plan.remaining.retain(|left| still_remains(left, &there));
    Ok(())
}

/// Whether what was left alone is an account that is still there. One that was shed is gone once another was made in its place after
/// this Revocation acted; one that only other sources named is somebody else's once it is marked and not this person's.
async fn account_stands(ctx: &Context, left: &revocation::Remaining, acted: Option<Timestamp>) -> Result<bool, Fault> {
    let Some((namespace, name)) = left.what.strip_prefix("ServiceAccount ").and_then(|place| place.split_once('/'))
    else {
        return Ok(false);
    };
    let api: Api<ServiceAccount> = Api::namespaced(ctx.client.clone(), namespace);
    let found = call("look for an account that remains", api.listed(name)).await?;
    let made_by = acted.filter(|_| MADE_AGAIN.iter().any(|reason| reason.as_str() == left.why));
    let weak = RemainingReason::WEAK.iter().any(|weak| weak.as_str() == left.why);
    let stands = |account: &ServiceAccount| {
        let made = account.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let by_then = made_by.zip(made).is_none_or(|(by, made)| made <= by);
        by_then && !(weak && account.annotations().contains_key(names::OWNER))
    };
    Ok(found.iter().any(stands))
}

/// Adds to what a plan left alone what names this person since, and can only be left alone too: a shared binding that was
/// made in another's place. What can be acted on is a later discovery.
///
/// `known` are the uids that Revocations deal with.
///
/// # Errors
/// Those of `draw`.
pub async fn add_what_came(
    ctx: &Context,
    person: &Person,
    policy: &SyncPolicy,
    known: &BTreeSet<String>,
    plan: &mut revocation::Plan,
) -> Result<(), Fault> {
    let facts = convert::person_facts(person, (ctx.clock)());
    let shown: BTreeSet<String> = plan.remaining.iter().map(|left| left.what.clone()).collect();
    let came = came(&ctx.owned(|owned| owned.of(&facts, &BTreeSet::new())), &facts, known, &shown);
    if came.is_empty() {
        return Ok(());
    }
    let drawn = draw(ctx, person, policy, Operation::Cut, &BTreeSet::new(), None, None).await?;
    let left = drawn.remaining.iter().filter(|left| left.why != RemainingReason::WorksHere);
    plan.remaining.extend(left.map(revocation::Remaining::from).filter(|left| came.contains(&left.what)));
    plan.remaining.truncate(plan::MAX_OBJECTS);
    Ok(())
}

/// What names this human, and no Revocation deals with or shows.
fn came(
    belongings: &Belongings,
    person: &PersonFacts,
    known: &BTreeSet<String>,
    shown: &BTreeSet<String>,
) -> BTreeSet<String> {
    let index = &belongings.index;
    let names = |subject: &Subject| match subject {
        Subject::User(name) => index.user_claim(name, person) != Claim::NotTheirs,
        Subject::Account { .. } | Subject::Other => false,
    };
    let accounts = belongings.accounts.iter().filter(|account| {
        !known.contains(&account.object.uid) && index.claim(&account.object.owner, person) != Claim::NotTheirs
    });
    let bindings = belongings
        .bindings
        .iter()
        .filter(|binding| !known.contains(&binding.object.uid) && binding.object.subjects.iter().any(names));
    let secrets = belongings.secrets.iter().filter(|secret| {
        !known.contains(&secret.object.uid) && index.claim(&secret.object.owner, person) != Claim::NotTheirs
    });
    let fresh = Belongings {
        accounts: accounts.cloned().collect(),
        bindings: bindings.cloned().collect(),
        secrets: secrets.cloned().collect(),
        index: Index::default(),
    };
    described(&fresh).into_iter().filter(|what| !shown.contains(what)).collect()
}

/// Whether what was left alone is among what there is; what is no object stays.
fn still_remains(left: &revocation::Remaining, there: &BTreeSet<String>) -> bool {
    there.contains(&left.what) || left.why == RemainingReason::PlanFull.as_str()
}

/// What there is of a person, as a plan shows it.
fn described(belongings: &Belongings) -> BTreeSet<String> {
    let shown = |what: String| {
        revocation::Remaining::from(&Remaining { what, why: RemainingReason::SharedBinding, heir: None }).what
    };
    let accounts = belongings.accounts.iter().map(|account| &account.object);
    let bindings = belongings.bindings.iter().map(|binding| &binding.object);
    let secrets = belongings.secrets.iter().map(|secret| &secret.object);
    accounts
        .map(|account| plan::described(Kind::ServiceAccount, &account.namespace, &account.name))
        .chain(bindings.map(|binding| plan::described(binding.kind, &binding.namespace, &binding.name)))
        .chain(secrets.map(|secret| plan::described(Kind::Secret, &secret.namespace, &secret.name)))
        .map(shown)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::owned::Since;
    use super::*;

    #[test]
    fn what_an_admin_ended_by_hand_no_longer_remains() {
        let thing = |what: &str, why: RemainingReason| {
            revocation::Remaining::from(&Remaining { what: what.to_owned(), why, heir: None })
        };
        let binding = plan::Binding {
            kind: Kind::RoleBinding,
            namespace: "apps".into(),
            name: "shared".into(),
            uid: "u".into(),
            subjects: Vec::new(),
            break_glass: false,
        };
        let bindings = vec![Since { object: binding, at: None }];
        let there = described(&Belongings { bindings, ..Belongings::default() });
        for (what, left, expected) in [
            ("a binding that names them still", thing("RoleBinding apps/shared", RemainingReason::SharedBinding), true),
            ("one that is gone", thing("RoleBinding apps/gone", RemainingReason::SharedBinding), false),
            ("more than a plan holds", thing("more objects", RemainingReason::PlanFull), true),
        ] {
            assert_eq!(still_remains(&left, &there), expected, "{what}");
        }
    }

    #[test]
    fn what_names_somebody_since_and_no_revocation_deals_with_has_come() {
        let facts = PersonFacts {
            name: "p-7".into(),
            uid: "u-7".into(),
            records: vec![("hq".into(), "7".into())],
            apart: Vec::new(),
            disputed: Box::default(),
            aliases: vec!["user:oidc:seven".into()],
            address: None,
            left: None,
        };
        let account = |name: &str, owner: &str| plan::Account {
            namespace: "apps".into(),
            name: name.into(),
            uid: format!("u-{name}"),
            owner: owner.into(),
            next: domain::handover::Nominated::default(),
            purpose: None,
            break_glass: false,
        };
        let binding = |name: &str, users: &[&str]| plan::Binding {
            kind: Kind::RoleBinding,
            namespace: "apps".into(),
            name: name.into(),
            uid: format!("u-{name}"),
            subjects: users.iter().map(|user| Subject::User((*user).into())).collect(),
            break_glass: false,
        };
        let accounts = [account("recreated", "id:hq/7"), account("late", "id:hq/7"), account("bens", "id:hq/8")];
        let bindings = [
            binding("shown", &["oidc:seven", "oidc:eight"]),
            binding("in-its-place", &["oidc:seven", "oidc:eight"]),
            binding("bens", &["oidc:eight"]),
        ];
        let belongings = Belongings {
            accounts: accounts.map(|object| Since { object, at: None }).into(),
            bindings: bindings.map(|object| Since { object, at: None }).into(),
            secrets: Vec::new(),
            index: Index::new(vec![facts.clone()]),
        };
        let (known, shown) = (["u-recreated".to_owned()].into(), ["RoleBinding apps/shown".to_owned()].into());
        let found = came(&belongings, &facts, &known, &shown);
        assert_eq!(found, BTreeSet::from(["RoleBinding apps/in-its-place".into(), "ServiceAccount apps/late".into()]));
    }

    #[test]
    fn what_was_theirs_at_the_notice_stays_so_whatever_is_written_to_it_later() {
        let revocation = |late: bool, owned: &[&str]| -> Revocation {
            serde_json::from_value(serde_json::json!({
                "metadata": {"name": "p-7-cut", "creationTimestamp": "2026-03-01T10:00:00Z"},
                "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination",
                         "operation": "Cut", "due": "2026-03-01T00:00:00Z", "reason": "left", "late": late, "owned": owned},
            }))
            .unwrap()
        };
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let notice = Notice::of(&revocation(false, &["known"])).unwrap();
        for (what, uid, since, expected) in [
            ("known, and untouched", "known", at("2026-01-01T00:00:00Z"), true),
            (
                "known, and touched since, by the word of a process that started later",
                "known",
                at("2026-03-02T00:00:00Z"),
                true,
            ),
            ("not seen yet, annotated in the second of the notice", "new", at("2026-03-01T10:00:00.9Z"), true),
            ("annotated after the notice", "new", at("2026-03-01T10:00:01Z"), false),
            ("of no known time", "new", None, true),
        ] {
            assert_eq!(notice.includes(uid, since), expected, "{what}");
        }
        assert!(Notice::of(&revocation(true, &[])).is_none(), "later discoveries are all that is left");
    }
}
