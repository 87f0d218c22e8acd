//! What a leaver owns in the cluster, put together for the plan: the index nominates, what runs there is listed live.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Context;
use super::owned::{Belongings, Since};
use crate::api::revocation::Operation;
use crate::api::{Person, SyncPolicy, convert};
use crate::kube::outcome::Fault;
use domain::ownership::{Claim, PersonFacts};
use domain::plan::{self, Plan, World};

/// Draws the plan of an operation against one person as the cluster is now.
///
/// `recreated` are the uids that the cut gave to accounts; a removal takes no others. What says whose it is only since after
/// `until` is left out: it is a late find, which waits alone.
///
/// # Errors
/// When the API server did not say what may be done, or who runs as an account: no plan follows from silence.
pub async fn draw(
    ctx: &Context,
    person: &Person,
    policy: &SyncPolicy,
    operation: Operation,
    recreated: &BTreeSet<String>,
    until: Option<Timestamp>,
) -> Result<Plan, Fault> {
    let facts = convert::person_facts(person);
    let mut belongings = ctx.owned(|owned| owned.of(&facts, recreated));
    if let Some(until) = until {
        belongings.accounts.retain(|account| in_time(account, until));
        belongings.bindings.retain(|binding| in_time(binding, until));
    }
    let Belongings { accounts, bindings, index } = belongings;
    let mut world = World {
        accounts: accounts.into_iter().map(|account| account.object).collect(),
        bindings: bindings.into_iter().map(|binding| binding.object).collect(),
        own_namespaces: vec![ctx.options.namespace.clone(), ctx.options.revoker_namespace.clone()],
        ..World::default()
    };
    for namespace in namespaces(&world, &facts, &index, recreated) {
        let consent = ctx.consents.of(ctx, &namespace).await?;
        world.consents.insert(namespace, consent);
    }
    let consenting = world.consents.iter().filter(|(namespace, consent)| consent.accounts && !namespace.is_empty());
    let consenting: Vec<String> = consenting.map(|(namespace, _)| namespace.clone()).collect();
    world.consumers = ctx.consumers.of(ctx, consenting).await?;
    let (rule, protected) = (convert::rule(policy), convert::protected(policy));
    Ok(match operation {
        Operation::Cut => plan::cut(&facts, &rule, &index, &world, &protected),
        Operation::Remove => plan::remove(&facts, &rule, recreated, &index, &world, &protected),
    })
}

/// Whether something said whose it is by then. Both instants are the API server's, and of whole seconds.
fn in_time<T>(object: &Since<T>, until: Timestamp) -> bool {
    object.at.is_none_or(|at| at.as_second() <= until.as_second())
}

/// Where anything of this person lies.
fn namespaces(
    world: &World,
    person: &PersonFacts,
    index: &domain::ownership::Index,
    recreated: &BTreeSet<String>,
) -> BTreeSet<String> {
    let theirs = world
        .accounts
        .iter()
        .filter(|account| index.claim(&account.mark, person) != Claim::NotTheirs || recreated.contains(&account.uid));
    let bound = world.bindings.iter().map(|binding| binding.namespace.clone());
    theirs.map(|account| account.namespace.clone()).chain(bound).collect()
}
