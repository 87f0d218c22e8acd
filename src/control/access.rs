//! What a leaver owns in the cluster, put together for the plan. Stores nominate; consumers and consents are read live.

use std::collections::BTreeSet;

use super::Context;
use crate::api::revocation::Operation;
use crate::api::{Person, SyncPolicy, convert};
use crate::kube::inventory;
use crate::kube::outcome::Fault;
use domain::plan::{self, Plan, World};

/// Draws the plan of a operation against one person as the cluster is now.
///
/// # Errors
/// When the API server did not say what may be done, or who runs as an account: no plan follows from silence.
///
/// `recreated` are the uids that the cut gave to accounts; a removal takes no others.
pub async fn draw(
    ctx: &Context,
    person: &Person,
    policy: &SyncPolicy,
    operation: Operation,
    recreated: &BTreeSet<String>,
) -> Result<Plan, Fault> {
    let people = ctx.stores.people.state();
    let index = convert::index(people.iter().map(AsRef::as_ref));
    let facts = convert::person_facts(person);
    let accounts: Vec<plan::Account> =
        ctx.stores.accounts.state().iter().filter_map(|account| inventory::account(&account.metadata)).collect();
    let mut world = World {
        bindings: ctx.stores.bindings(),
        own_namespaces: vec![ctx.options.namespace.clone(), ctx.options.revoker_namespace.clone()],
        ..World::default()
    };
    let theirs =
        accounts.iter().filter(|account| index.mentions(&account.mark, &facts) || recreated.contains(&account.uid));
    let namespaces: BTreeSet<String> = theirs.map(|account| account.namespace.clone()).collect();
    let bound = world.bindings.iter().filter(|binding| mentions(binding, &facts, &namespaces));
    let mut asked: BTreeSet<String> = bound.map(|binding| binding.namespace.clone()).collect();
    asked.extend(namespaces);
    for namespace in asked {
        let consent = ctx.consents.of(ctx, &namespace).await?;
        world.consents.insert(namespace, consent);
    }
    let consenting = world.consents.iter().filter(|(namespace, consent)| consent.accounts && !namespace.is_empty());
    world.consumers =
        inventory::consumers_of(&ctx.client, consenting.map(|(namespace, _)| namespace.clone()).collect()).await?;
    world.accounts = accounts;
    let (rule, protected) = (convert::rule(policy), convert::protected(policy));
    Ok(match operation {
        Operation::Cut => plan::cut(&facts, &rule, &index, &world, &protected),
        Operation::Remove => plan::remove(&facts, &rule, recreated, &index, &world, &protected),
    })
}

/// Whether a binding names a user of this person, or an account in a namespace where they own one.
fn mentions(binding: &plan::Binding, person: &domain::ownership::PersonFacts, namespaces: &BTreeSet<String>) -> bool {
    binding.subjects.iter().any(|subject| match subject {
        plan::Subject::User(name) => person.is_user(name),
        plan::Subject::Account { namespace, .. } => namespaces.contains(namespace),
        plan::Subject::Other => false,
    })
}
