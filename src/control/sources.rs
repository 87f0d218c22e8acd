//! What other sources of ownership say of a leaver: told in the plan, and never acted on. What they say of everybody is worked out
//! once for all who leave in the same moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Context;
use crate::api::{Person, SyncPolicy, convert};
use crate::kube::outcome::Fault;
use crate::kube::sources;
use domain::ownership::Index;
use domain::plan::{self, Kind, MAX_OBJECTS, Plan, Remaining, RemainingReason};
use domain::sources::{Owner, Source, Unmarked, owner};

/// How long what was found is told to others too.
const GOOD_FOR: Duration = Duration::from_secs(30);

/// What is left alone, by the uid of the Person.
type Found = BTreeMap<String, Vec<Remaining>>;
/// What was found for a policy of this name and generation.
type Known = HashMap<(String, Option<i64>), (Instant, Arc<Found>)>;

/// What was found, by policy.
#[derive(Default)]
pub struct Sources(Mutex<Known>);

/// Adds to what a plan leaves alone the accounts that only other sources say are this person's.
pub async fn add(ctx: &Context, person: &Person, policy: &SyncPolicy, plan: &mut Plan) {
    if policy.spec.identity.ownership.is_empty() {
        return;
    }
    let found = match of_policy(ctx, policy).await {
        Ok(found) => found.get(&convert::person_facts(person, (ctx.clock)()).uid).cloned().unwrap_or_default(),
        Err(fault) => {
            tracing::warn!(policy = policy.name_any(), %fault, "sources of ownership are not read, and plans do not wait for them");
            let what = "accounts without an owner annotation".to_owned();
            vec![Remaining { what, why: RemainingReason::SourcesUnread }]
        }
    };
    plan.remaining.extend(found);
    plan.remaining.truncate(MAX_OBJECTS);
}

async fn of_policy(ctx: &Context, policy: &SyncPolicy) -> Result<Arc<Found>, Fault> {
    let key = (policy.name_any(), policy.metadata.generation);
    let mut known = ctx.sources.0.lock().await; // who leave together wait for one answer
    if let Some((at, found)) = known.get(&key)
        && at.elapsed() < GOOD_FOR
    {
        return Ok(Arc::clone(found));
    }
    let (client, namespace) = (&ctx.client, &ctx.options.namespace);
    let asked = &policy.spec.identity.ownership;
    let own = [namespace.clone(), ctx.options.revoker_namespace.clone()];
    let (accounts, records) =
        futures::try_join!(sources::unmarked(client, &own), sources::records(client, namespace, asked))?;
    let index = ctx.owned(|owned| owned.index());
    let all: Vec<Source> = asked.iter().map(|one| one.source()).collect();
    let owners = accounts.iter().map(|account| (account, owner(account, &all, &records, &index)));
    let found = Arc::new(left(owners, &index));
    known.retain(|(name, _), _| *name != key.0);
    known.insert(key, (Instant::now(), Arc::clone(&found)));
    Ok(found)
}

/// What is left alone of each person.
fn left<'a>(owners: impl Iterator<Item = (&'a Unmarked, Owner<'a>)>, index: &Index) -> Found {
    let mut found = Found::new();
    for (account, owner) in owners {
        let what = plan::described(Kind::ServiceAccount, &account.namespace, &account.name);
        let (people, why) = match owner {
            Owner::Nobody => continue,
            Owner::One(person, says) => {
                let Some(first) = says.first() else { continue };
                (index.records(person).collect(), first.reason())
            }
            Owner::Several(people) => (people, RemainingReason::SourcesDisagree),
        };
        for person in people {
            found.entry(person.uid.clone()).or_default().push(Remaining { what: what.clone(), why });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use domain::ownership::PersonFacts;
    use domain::sources::Says;

    #[test]
    fn what_is_told_is_told_of_each_record_of_the_human_and_of_each_who_may_be_meant() {
        let person = |id: &str, address: &str| PersonFacts {
            name: format!("p-{id}"),
            uid: format!("u-{id}"),
            records: vec![("hq".into(), id.into())],
            apart: Vec::new(),
            disputed: Box::default(),
            aliases: vec![format!("email:{address}")],
            address: Some(address.into()),
            left: None,
        };
        let people = [person("7", "ada@example.com"), person("107", "ada@example.com"), person("8", "ben@example.com")];
        let index = Index::new(people.to_vec());
        let account = |name: &str| Unmarked { namespace: "apps".into(), name: name.into(), ..Unmarked::default() };
        let (adas, both) = (account("adas"), account("both"));
        let owners = [
            (&adas, Owner::One(&people[0], BTreeSet::from([Says::Label, Says::Catalogue]))),
            (&both, Owner::Several(vec![&people[0], &people[2]])),
        ];
        let found = left(owners.into_iter(), &index);
        let of = |uid: &str| -> Vec<(String, RemainingReason)> {
            found[uid].iter().map(|left| (left.what.clone(), left.why)).collect()
        };
        let adas = ("ServiceAccount apps/adas".to_owned(), RemainingReason::OwnedByLabel);
        let both = ("ServiceAccount apps/both".to_owned(), RemainingReason::SourcesDisagree);
        assert_eq!(of("u-7"), [adas.clone(), both.clone()]);
        assert_eq!(of("u-107"), [adas]);
        assert_eq!(of("u-8"), [both]);
    }
}
